import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import {
  egressObstacle,
  NetworkBench,
} from '../../packages/server/src/sandbox/namespace/network/network-fixture.ts';
import {
  PlayedHost,
  RemoteMachine,
} from '../../packages/server/src/sandbox/namespace/network/played-host-fixture.ts';

const run = promisify(execFile);
const leftoversModule = new URL('leftovers.mjs', import.meta.url).href;

// Other systems have no /proc: nothing is looked for there.
describe.skipIf(process.platform !== 'linux')('leftovers (needs Linux)', () => {
  let folder: string;
  const children: ChildProcess[] = [];

  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-leftovers-'));
  });
  afterEach(async () => {
    for (const child of children.splice(0)) {
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    await rm(folder, { recursive: true, force: true });
  });

  async function startIdle(env: NodeJS.ProcessEnv, cwd: string): Promise<ChildProcess> {
    const program = 'setInterval(() => {}, 60_000); console.log("up");';
    const child = spawn(process.execPath, ['-e', program], {
      env,
      cwd,
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    children.push(child);
    if (child.stdout !== null) await once(child.stdout, 'data');
    return child;
  }

  async function findLeftovers(...instances: string[]): Promise<string> {
    const program = `
      const { findLeftovers } = await import(${JSON.stringify(leftoversModule)});
      const folder = process.env.FOLDER.split('').toReversed().join('');
      const instances = new Set(${JSON.stringify(instances)});
      console.log((await findLeftovers(folder, instances, 0)).join('\\n'));`;
    // The folder is passed backwards: the one who looks must not find itself.
    const env = { FOLDER: folder.split('').toReversed().join('') };
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program], { env });
    return stdout;
  }

  test('a process of the run is told and killed, one of somebody else is left alone', async () => {
    const byVariable = await startIdle({ TMPDIR: folder }, '/');
    const byFolder = await startIdle({}, folder);
    const foreign = await startIdle({}, '/');
    const ended = Promise.all([once(byVariable, 'exit'), once(byFolder, 'exit')]);
    const found = await findLeftovers();
    expect(found).toContain(`process ${byVariable.pid}:`);
    expect(found).toContain(`process ${byFolder.pid}:`);
    expect(found).not.toContain(`process ${foreign.pid}:`);
    expect(await ended).toEqual([
      [null, 'SIGKILL'],
      [null, 'SIGKILL'],
    ]);
    expect(foreign.exitCode ?? foreign.signalCode).toBeNull();
  });

  test('the instances of servers with their data folder below the folder are noted', async () => {
    await mkdir(join(folder, 'data', 'run', '0123456789ab'), { recursive: true });
    await mkdir(join(folder, 'data', 'run', 'something-else'));
    const program = `
      const { watchInstances } = await import(${JSON.stringify(leftoversModule)});
      const instances = watchInstances(process.argv[1]);
      instances.stop();
      console.log(...instances.seen);`;
    const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, folder]);
    expect(stdout.trim()).toBe('0123456789ab');
  });

  test('what an instance has on the network is told, until it is gone', async ({ skip }) => {
    const obstacle = egressObstacle();
    skip(obstacle !== undefined, obstacle);
    await using opened = new AsyncDisposableStack();
    opened.use(await PlayedHost.enter());
    const remote = opened.use(await RemoteMachine.create());
    const bench = opened.use(await NetworkBench.open('internet'));
    const { instanceId, range } = bench;
    const claim = range.text.split('/')[0] ?? '';
    expect((await findLeftovers(instanceId)).trim().split('\n')).toEqual([
      `claim /run/hearth/networks/${claim}`,
      `forwarding of ${remote.link} for ${instanceId}`,
      `link hearth${instanceId.slice(0, 8)}`,
      `packet filter table inet hearth_${instanceId}`,
    ]);
    expect((await findLeftovers('0123456789ab')).trim()).toBe('');
    await opened.disposeAsync();
    expect((await findLeftovers(instanceId)).trim()).toBe('');
  });

  test('without leftovers there is nothing to tell', async () => {
    expect((await findLeftovers()).trim()).toBe('');
  });
});
