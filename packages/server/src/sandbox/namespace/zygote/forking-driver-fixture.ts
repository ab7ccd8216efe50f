import { existsSync, readFileSync, realpathSync } from 'node:fs';
import { cp } from 'node:fs/promises';
import { join } from 'node:path';
import type {
  GuestCommand,
  GuestProcess,
  Sandbox,
  SandboxDriver,
  SandboxSpec,
} from '../../sandbox.ts';
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

/** A driver whose guests are all forked, and then replaced by the program that was asked for. */
export interface ForkingDriver {
  readonly driver: SandboxDriver;
  /** Why a guest was executed and not forked. */
  readonly faults: readonly string[];
}

export async function openForkingDriver(dataDir: string): Promise<ForkingDriver> {
  const faults: string[] = [];
  const onFault = (what: string, cause: unknown): void => {
    faults.push(`${what}: ${String(cause)}`);
  };
  const { driver } = await openNamespaceDriver(dataDir, { onFault });
  return {
    faults,
    driver: {
      name: driver.name,
      enforcement: driver.enforcement,
      capabilities: driver.capabilities,
      create: async (spec, signal) => forking(await create(driver, spec, signal)),
      sweep: () => driver.sweep(),
      [Symbol.asyncDispose]: () => driver[Symbol.asyncDispose](),
    },
  };
}

async function create(
  driver: SandboxDriver,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Sandbox> {
  const { runtime } = spec.directories;
  if (runtime === undefined) throw new Error('a sandbox with guests to fork has a runtime');
  await cp(BOOTSTRAP, join(runtime, 'hearth_guest'), { recursive: true, force: false });
  return driver.create(spec, signal);
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
