import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { chmod, cp, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { EnforcementFact } from '../../enforcement-facts.ts';
import type { GuestCommand, GuestProcess, Sandbox, SandboxDriver } from '../../sandbox.ts';
import { checkCommand } from '../../sandbox-input.ts';
import { openNamespaceDriver } from '../namespace-driver.ts';

const BOOTSTRAP = join(import.meta.dirname, '../../../../../bootstrap/python/hearth_guest');
const SCRIPT = readFileSync(join(import.meta.dirname, 'exec-after-fork.py'), 'utf8');
const PYTHON = '/usr/bin/python3';

/** Why guests cannot be forked here; undefined where they can. */
export function forkingObstacle(): string | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'needs root on Linux';
  return existsSync(PYTHON) ? undefined : `needs ${PYTHON}`;
}

/** Numbers of the processes of zygotes below one process; bubblewrap and guests are not among them. */
export function zygoteProcesses(ancestor: number): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      const status = read(`/proc/${pid}/status`);
      const argv = read(`/proc/${pid}/cmdline`).split('\0');
      return (
        argv.includes(SCRIPT) &&
        !argv[0]?.endsWith('bwrap') &&
        /^NSpid:\t\d+$/m.test(status) &&
        !/^State:\tZ/m.test(status) &&
        descendsFrom(Number(pid), ancestor)
      );
    })
    .map(Number);
}

function descendsFrom(pid: number, ancestor: number): boolean {
  for (let each = pid; each > 1;) {
    if (each === ancestor) return true;
    each = Number(/^PPid:\t(\d+)$/m.exec(read(`/proc/${each}/status`))?.[1] ?? 0);
  }
  return false;
}

function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

/** A driver whose guests are all forked, and then replaced by the program that was asked for. */
export interface ForkingDriver {
  readonly driver: SandboxDriver;
  readonly facts: readonly EnforcementFact[];
  /** Why a guest was executed and not forked. */
  readonly faults: readonly string[];
}

/** @param dataDir in a folder that is removed at the end; only root may be able to change it */
export async function openForkingDriver(dataDir: string): Promise<ForkingDriver> {
  const faults: string[] = [];
  const onFault = (what: string, cause: unknown): void => {
    faults.push(`${what}: ${String(cause)}`);
  };
  const runtime = join(dirname(dataDir), 'runtime-to-fork');
  await cp(BOOTSTRAP, join(runtime, 'hearth_guest'), { recursive: true });
  // What no permission protects from a function.
  await writeFile(join(runtime, 'bootstrap'), '');
  await chmod(join(runtime, 'bootstrap'), 0o666);
  const { driver, facts } = await openNamespaceDriver(dataDir, { onFault });
  return {
    facts,
    faults,
    driver: {
      name: driver.name,
      enforcement: driver.enforcement,
      capabilities: driver.capabilities,
      create: async (spec, signal) => {
        const directories = { ...spec.directories, runtime };
        return forking(await driver.create({ ...spec, directories }, signal));
      },
      sweep: () => driver.sweep(),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    },
  };
}

function forking(sandbox: Sandbox): Sandbox {
  return {
    paths: sandbox.paths,
    network: sandbox.network,
    assign: (assignment) => sandbox.assign(assignment),
    start: async (command, signal) => startForked(sandbox, command, signal),
    limitCpu: (limited) => sandbox.limitCpu(limited),
    memoryPeakBytes: () => sandbox.memoryPeakBytes(),
    freeze: () => sandbox.freeze(),
    thaw: () => sandbox.thaw(),
    [Symbol.asyncDispose]: () => sandbox[Symbol.asyncDispose](),
  };
}

async function startForked(
  sandbox: Sandbox,
  command: GuestCommand,
  signal: AbortSignal,
): Promise<GuestProcess> {
  checkCommand(command);
  const guest = await sandbox.start(
    {
      argv: [realpathSync(PYTHON), '-s', '-B', '-c', SCRIPT],
      environment: {},
      cwd: command.cwd,
      descriptors: 'channel',
      forkable: true,
    },
    signal,
  );
  const text = Buffer.from(JSON.stringify(command));
  const head = Buffer.alloc(4);
  head.writeUInt32BE(text.length);
  guest.channel?.write(Buffer.concat([head, text]));
  if (command.descriptors === 'channel') return guest;
  return {
    channel: undefined,
    stdout: guest.stdout,
    stderr: guest.stderr,
    log: undefined,
    exited: guest.exited,
    terminate: () => guest.terminate(),
    kill: () => guest.kill(),
  };
}
