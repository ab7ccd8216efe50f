import { spawn } from 'node:child_process';
import { chownSync, readdirSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { expect, test } from 'vitest';
import { ContractBench } from '../contract-bench.ts';
import { openProcessDriver } from '../process/process-driver.ts';
import { findFilterObstacle } from './seccomp/seccomp-filter.ts';

const FIXTURE = join(import.meta.dirname, '..', 'fixtures', 'rootless-server.ts');
const ANY_UID = 54_321;

/** True where users other than the owner can come to this file. */
function isReachable(path: string): boolean {
  const folder = dirname(path);
  return folder === path || ((statSync(folder).mode & 1) === 1 && isReachable(folder));
}

test('a server that is not root isolates files and processes, and says what it does not', async ({
  skip,
}) => {
  skip(process.getuid?.() !== 0, 'the other tests of the driver run without root already');
  skip(
    !isReachable(FIXTURE) || !isReachable(process.execPath),
    'other users cannot reach this file',
  );
  await using bench = await ContractBench.open(openProcessDriver);
  const dataDir = join(bench.dataDir, '..', 'runtime');
  chownSync(dataDir, ANY_UID, ANY_UID);
  const { task } = bench;
  const { language } = bench.directories;
  const server = spawn(process.execPath, [FIXTURE, dataDir, task, language], {
    uid: ANY_UID,
    gid: ANY_UID,
    env: { PATH: '/usr/bin:/bin' },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [printed, problems] = await Promise.all([text(server.stdout), text(server.stderr)]);
  skip(/Operation not permitted|No permissions/.test(problems), problems.split('\n')[0]);
  expect(problems).toBe('');
  const { enforcement, facts, outcome } = JSON.parse(printed);
  expect(outcome).toEqual({
    exit: { code: 9, outOfMemory: false },
    stdout: 'sbx_user1051\ncode1024\n',
    stderr: '',
  });
  expect(enforcement).toEqual({
    memory: false,
    cpu: false,
    processes: false,
    ephemeralStorage: false,
    sharedMemory: true,
    openFiles: true,
    filesystem: true,
    processIsolation: true,
    network: false,
    systemCalls: findFilterObstacle() === undefined,
    user: false,
    freeze: false,
  });
  expect(facts).toContainEqual({
    property: 'memory',
    enforced: false,
    reason: 'the server does not run as root',
    remedy: 'start Hearth as root',
  });
  expect(readdirSync(join(dataDir, 'run'))).toEqual([]);
});
