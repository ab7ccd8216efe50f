import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, writeFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, expect, test } from 'vitest';
import { chooseSandboxDriver } from './choose-driver.ts';
import {
  ContractBench,
  lineOf,
  processesWith,
  startShell,
  tracesOf,
  uniqueSeconds,
} from './contract-bench.ts';
import { forkingObstacle, zygoteProcesses } from './namespace/zygote/forking-driver-fixture.ts';

const FIXTURE = join(import.meta.dirname, 'fixtures', 'server-to-kill.ts');
const namespaceProblem = await findNamespaceProblem();

async function findNamespaceProblem(): Promise<string | undefined> {
  await using bench = await ContractBench.open(
    async (dataDir) => (await chooseSandboxDriver('process', dataDir)).driver,
  );
  try {
    const chosen = await chooseSandboxDriver('namespace', bench.dataDir);
    await chosen.driver[Symbol.asyncDispose]();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/** A server in a process of its own, once its sandbox runs. */
async function startServer(
  choice: string,
  bench: ContractBench,
  seconds: string,
): Promise<{ server: ChildProcess; instanceId: string } & AsyncDisposable> {
  const { task } = bench;
  const { language } = bench.directories;
  const parameters = [FIXTURE, choice, bench.dataDir, task, language, seconds];
  const server = spawn(process.execPath, parameters, { stdio: ['ignore', 'pipe', 'inherit'] });
  const [instanceId]: string[] = await once(createInterface(server.stdout), 'line');
  return {
    server,
    instanceId: instanceId ?? '',
    [Symbol.asyncDispose]: () => killServer(server),
  };
}

async function killServer(server: ChildProcess): Promise<void> {
  if (server.signalCode !== null || server.exitCode !== null) return;
  const exited = once(server, 'exit');
  server.kill('SIGKILL');
  await exited;
}

const STARTS = ['process', 'namespace', 'forked'] as const;

describe.each(STARTS)('sweep after kill -9 of a %s server', (start) => {
  const choice = start === 'process' ? 'process' : 'namespace';
  const problem = choice === 'namespace' ? namespaceProblem : undefined;
  const obstacle =
    process.platform === 'linux'
      ? (problem ?? (start === 'forked' ? forkingObstacle() : undefined))
      : 'needs /proc';

  test('leaves no process, mount, control group or folder of it', async ({ skip }) => {
    skip(obstacle !== undefined, obstacle);
    await using bench = await ContractBench.open(
      async (dataDir) => (await chooseSandboxDriver(choice, dataDir)).driver,
    );
    const seconds = uniqueSeconds();
    await using victim = await startServer(start, bench, seconds);
    const { server, instanceId } = victim;
    expect(processesWith(seconds).length).toBeGreaterThanOrEqual(3);
    const zygotes = zygoteProcesses(server.pid ?? 0);
    expect(zygotes).toHaveLength(start === 'forked' ? 2 : 0);
    await killServer(server);
    expect(readdirSync(join(bench.dataDir, 'run'))).toContain(instanceId);
    await bench.driver.sweep();
    expect(processesWith(seconds)).toEqual([]);
    expect(tracesOf(instanceId)).toEqual([]);
    expect(readdirSync(join(bench.dataDir, 'run'))).not.toContain(instanceId);
    await expect.poll(() => zygotes.filter((pid) => zygoteProcesses(pid).length > 0)).toEqual([]);
  });

  test('touches nothing of a server that lives', async ({ skip }) => {
    skip(obstacle !== undefined, obstacle);
    await using bench = await ContractBench.open(
      async (dataDir) => (await chooseSandboxDriver(choice, dataDir)).driver,
    );
    const [seconds, ownSeconds] = [uniqueSeconds(), uniqueSeconds()];
    await using victim = await startServer(start, bench, seconds);
    const { server, instanceId } = victim;
    await using sandbox = await bench.create();
    const guest = await startShell(sandbox, 'echo up; exec sleep "$1"', ownSeconds);
    await lineOf(guest, 'up');
    const before = processesWith(seconds);
    const traces = tracesOf(instanceId);
    await bench.driver.sweep();
    expect(processesWith(seconds)).toEqual(before);
    expect(processesWith(ownSeconds).length).toBeGreaterThanOrEqual(1);
    expect(tracesOf(instanceId)).toEqual(traces);
    await killServer(server);
    await bench.driver.sweep();
    expect(processesWith(seconds)).toEqual([]);
    expect(processesWith(ownSeconds).length).toBeGreaterThanOrEqual(1);
  });
});

test('sweep removes folders without a record, of a server killed while it made or removed them', async () => {
  await using bench = await ContractBench.open(
    async (dataDir) => (await chooseSandboxDriver('process', dataDir)).driver,
  );
  const run = join(bench.dataDir, 'run');
  const gone = await deadPid();
  const folders = ['0123456789ab', `.0123456789ac-${gone}`].map((name) => join(run, name));
  const kept = ['notes', `.0123456789ad-${process.pid}`].map((name) => join(run, name));
  for (const folder of [...folders, ...kept]) {
    mkdirSync(folder);
    writeFileSync(join(folder, 'file'), '');
  }
  await bench.driver.sweep();
  expect(folders.filter((folder) => existsSync(folder))).toEqual([]);
  expect(kept.filter((folder) => !existsSync(folder))).toEqual([]);
});

async function deadPid(): Promise<number> {
  const child = spawn(process.execPath, ['--version'], { stdio: 'ignore' });
  await once(child, 'exit');
  return child.pid ?? 0;
}
