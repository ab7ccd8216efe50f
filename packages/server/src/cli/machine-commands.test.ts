import { describe, expect, test } from 'vitest';
import { callHearth, makeFolder, runHearth, sendJson, startStandInApi } from './cli-harness.ts';

describe('doctor', () => {
  test('shows what is not enforced, why, and what to do', async () => {
    const health = {
      status: 'ok',
      version: '1.2.3',
      dataDir: '/data',
      sandbox: {
        driver: 'process',
        reason: 'no bubblewrap',
        limits: [
          { property: 'memory', enforced: false, why: 'no cgroup', remedy: 'run as root' },
          { property: 'cpu', enforced: false, why: 'no cgroup', remedy: 'run as root' },
          { property: 'user', enforced: true, how: 'uid of its own', remedy: 'mount a disk' },
        ],
      },
      runtimes: [
        { runtime: 'python3.12', obstacle: 'Cannot run it' },
        { runtime: 'provided.al2023' },
        { runtime: 'java21', obstacle: 'No client', version: '21.0.1', exact: true, path: '/j' },
        { runtime: 'java25', version: '21.0.1', exact: false, path: '/j', origin: 'PATH' },
      ],
    };
    const standIn = await startStandInApi((_request, response) => sendJson(response, 200, health));
    const { exitCode, stdout } = await callHearth(standIn, ['doctor']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^sandbox +process: no bubblewrap$/m);
    expect(stdout).toMatch(/^memory +no +no cgroup$/m);
    expect(stdout).toMatch(/^user +yes +uid of its own$/m);
    expect(stdout).toMatch(/^run as root +memory, cpu$/m);
    expect(stdout).toMatch(/^mount a disk +user$/m);
    expect(stdout).toMatch(/^python3\.12 +none$/m);
    expect(stdout).toMatch(/^provided\.al2023 +the function's own$/m);
    expect(stdout).toMatch(/^java21 +21\.0\.1 +to install +\/j$/m);
    expect(stdout).toMatch(/^java25 +21\.0\.1 +nearest +\/j +PATH$/m);
    const json = await callHearth(standIn, ['doctor', '--json']);
    expect(JSON.parse(json.stdout)).toEqual(health);
  });
});

describe('runtimes', () => {
  test('list says what runs each runtime', async () => {
    const environment = { PATH: '', HEARTH_DATA_DIR: makeFolder() };
    const { exitCode, stdout } = await runHearth(['runtimes', 'list', '--json'], { environment });
    expect(exitCode).toBe(0);
    const { runtimes } = JSON.parse(stdout);
    expect(runtimes).toContainEqual({
      runtime: `nodejs${process.versions.node.split('.')[0]}.x`,
      version: process.versions.node,
      exact: true,
      path: process.execPath,
      origin: 'this process',
    });
  });

  test('install refuses what does not exist: exit 1', async () => {
    const environment = { HEARTH_DATA_DIR: makeFolder() };
    const { exitCode, stderr } = await runHearth(['runtimes', 'install', 'cobol'], { environment });
    expect(stderr).toMatch(/^Cannot install runtime as it must be one of .*"cobol"\n$/);
    expect(exitCode).toBe(1);
  });
});
