import { chmodSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ContractBench, lineOf, runShell, startShell } from '../../contract-bench.ts';
import { forkingObstacle, openForkingDriver, zygoteProcesses } from './forking-driver-fixture.ts';
import { MAX_FORKS } from './zygotes.ts';

const obstacle = forkingObstacle();

describe.skipIf(obstacle !== undefined)(`zygotes (${obstacle ?? 'that fork'})`, () => {
  let bench: ContractBench;
  let faults: readonly string[];
  beforeEach(async () => {
    bench = await ContractBench.open(async (dataDir) => {
      const opened = await openForkingDriver(dataDir);
      faults = opened.faults;
      return opened.driver;
    });
  });
  afterEach(async () => {
    await bench[Symbol.asyncDispose]();
  });

  /** `forked`: its parent is outside; `executed`: its parent is bubblewrap's reaper. */
  async function howStarted(): Promise<string> {
    await using sandbox = await bench.create();
    const { stdout } = await runShell(sandbox, 'cut -d" " -f4 /proc/$$/stat');
    return { '0\n': 'forked', '1\n': 'executed' }[stdout] ?? stdout;
  }

  test('that is killed is told of and replaced; its guest lives on', async () => {
    await using sandbox = await bench.create();
    const guest = await startShell(sandbox, 'echo up; read line <&3; exit 7');
    await lineOf(guest, 'up');
    const before = zygoteProcesses(process.pid);
    expect(before).toHaveLength(2);
    for (const pid of before) process.kill(pid, 'SIGKILL');
    await expect.poll(() => faults).toEqual([expect.stringContaining('has ended')]);

    expect(await howStarted()).toBe('forked');
    expect(zygoteProcesses(process.pid)).toHaveLength(2);
    guest.channel.write('go\n');
    // Before Linux 6.15 nobody can tell the status any more.
    const { code, signal } = await guest.exited;
    expect([7, 'killed']).toContain(code ?? signal);
  });

  test(`is replaced after ${MAX_FORKS} forks, and ends with its last guest`, async () => {
    await using sandbox = await bench.create();
    const guest = await startShell(sandbox, 'echo up; read line <&3');
    await lineOf(guest, 'up');
    const [first] = zygoteProcesses(process.pid);
    for (let count = 1; count <= MAX_FORKS; count += 10) {
      await Promise.all(Array.from({ length: 10 }, () => howStarted()));
    }
    await expect.poll(() => zygoteProcesses(process.pid)).toHaveLength(4);
    expect(zygoteProcesses(process.pid)).toContain(first);
    await guest.kill();
    await expect.poll(() => zygoteProcesses(process.pid)).toHaveLength(2);
    expect(zygoteProcesses(process.pid)).not.toContain(first);
    expect(await howStarted()).toBe('forked');
    expect(faults).toEqual([]);
  });

  test('leave a guest alone that kills everything, and no orphan of it is left', async () => {
    await using sandbox = await bench.create();
    const script = `
      i=0; while [ $i -lt 50 ]; do (sh -c 'sleep 0.01 &' &); i=$((i + 1)); done
      sleep 1000 & kill -9 -1; wait; echo alive
      until [ "$(cat /proc/[0-9]*/stat | grep -c ') Z ')" = 0 ]; do :; done; echo clean`;
    const { stdout, exit } = await runShell(sandbox, script);
    expect(stdout).toBe('alive\nclean\n');
    expect(exit.code).toBe(0);
  });

  test('leave no process and no descriptor, whatever was forked', async () => {
    // The driver has networks ready, as many as were wanted at a time.
    await Promise.all(Array.from({ length: 20 }, () => howStarted()));
    const before = readdirSync('/proc/self/fd').length;
    await Promise.all(Array.from({ length: 20 }, () => howStarted()));
    await expect.poll(() => readdirSync('/proc/self/fd').length).toBeLessThanOrEqual(before);
    await bench.driver[Symbol.asyncDispose]();
    expect(zygoteProcesses(process.pid)).toEqual([]);
  });

  test('are not made of what others than root can change', async () => {
    chmodSync(join(bench.dataDir, '..', 'runtime-to-fork'), 0o777);
    expect(await howStarted()).toBe('executed');
    expect(faults).toEqual([expect.stringContaining('only root may be able to change')]);
    expect(zygoteProcesses(process.pid)).toEqual([]);
  });
});
