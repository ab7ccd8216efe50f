import { randomInt } from 'node:crypto';
import { readdirSync, readFileSync, realpathSync } from 'node:fs';
import { chmod, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import type {
  GuestExit,
  GuestProcess,
  Sandbox,
  SandboxAssignment,
  SandboxDirectories,
  SandboxDriver,
  SandboxSpec,
} from './sandbox.ts';

/** A signal that never comes. */
export const NEVER = new AbortController().signal;

/** What a program that ran to its end has left. */
export interface ProgramOutcome {
  readonly exit: GuestExit;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a test wants of a sandbox other than the bench's own. */
export type SandboxChange = Partial<SandboxAssignment & Omit<SandboxSpec, 'assignment'>>;

/** A driver on a data folder of its own, with folders to show to guests; removes all it made. */
export class ContractBench implements AsyncDisposable {
  readonly driver: SandboxDriver;
  readonly dataDir: string;
  readonly directories: Required<SandboxDirectories>;
  readonly task: string;
  readonly #folder: string;
  #sandboxes = 0;

  private constructor(folder: string, driver: SandboxDriver) {
    this.#folder = folder;
    this.dataDir = join(folder, 'data');
    this.driver = driver;
    this.task = join(folder, 'task');
    this.directories = {
      runtime: join(folder, 'runtime'),
      language: languagePrefix(),
    };
  }

  static async open(create: (dataDir: string) => Promise<SandboxDriver>): Promise<ContractBench> {
    const folder = await mkdtemp(join(realpathSync(tmpdir()), 'hearth-contract-'));
    await chmod(folder, 0o755);
    for (const name of ['task', 'runtime', 'data']) await mkdir(join(folder, name));
    await writeFile(join(folder, 'task', 'code.txt'), 'code');
    return new ContractBench(folder, await create(join(folder, 'data')));
  }

  spec(change: Partial<SandboxSpec> = {}): SandboxSpec {
    this.#sandboxes += 1;
    return {
      environmentId: `contract-${this.#sandboxes}`,
      directories: this.directories,
      assignment: this.assignment(),
      ...change,
    };
  }

  assignment(change: Partial<SandboxAssignment> = {}): SandboxAssignment {
    return { task: this.task, memoryMb: 512, ephemeralStorageMb: 16, ...change };
  }

  /** A sandbox that is assigned. */
  create({ environmentId, directories, ...assignment }: SandboxChange = {}): Promise<Sandbox> {
    const spec = this.spec({
      assignment: this.assignment(assignment),
      ...(directories !== undefined && { directories }),
      ...(environmentId !== undefined && { environmentId }),
    });
    return this.driver.create(spec, NEVER);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.driver[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Prefix of the Node.js that runs the tests. */
export function languagePrefix(): string {
  return dirname(dirname(realpathSync(process.execPath)));
}

/** A guest that was given a channel and a log. */
export type ChannelGuest = GuestProcess &
  Readonly<Record<'channel', NonNullable<GuestProcess['channel']>>> &
  Readonly<Record<'log', NonNullable<GuestProcess['log']>>>;

async function channelled(started: Promise<GuestProcess>): Promise<ChannelGuest> {
  const guest = await started;
  if (!hasChannel(guest)) throw new Error('A guest with the descriptors `channel` must have one');
  return guest;
}

function hasChannel(guest: GuestProcess): guest is ChannelGuest {
  return guest.channel !== undefined && guest.log !== undefined;
}

/** Starts a fixed script of a test in the system's shell. */
export function startShell(
  sandbox: Sandbox,
  script: string,
  ...parameters: string[]
): Promise<ChannelGuest> {
  const environment = { PATH: '/usr/bin:/bin' };
  const argv = ['/bin/sh', '-c', script, 'sh', ...parameters] as const;
  const cwd = sandbox.paths.tmp;
  return channelled(
    sandbox.start({ argv: [...argv], environment, cwd, descriptors: 'channel' }, NEVER),
  );
}

/** Starts a fixed script of a test in the sandbox's Node.js. */
export function startNode(sandbox: Sandbox, script: string): Promise<ChannelGuest> {
  const program = `${sandbox.paths.language}/bin/node`;
  const environment = { PATH: '/usr/bin:/bin' };
  const cwd = sandbox.paths.tmp;
  return channelled(
    sandbox.start(
      { argv: [program, '-e', script], environment, cwd, descriptors: 'channel' },
      NEVER,
    ),
  );
}

/** Reads all output of a guest, to its end. */
export async function outcomeOf(guest: GuestProcess): Promise<ProgramOutcome> {
  guest.log?.resume();
  guest.channel?.resume();
  const [exit, stdout, stderr] = await Promise.all([
    guest.exited,
    text(guest.stdout),
    text(guest.stderr),
  ]);
  return { exit, stdout, stderr };
}

export async function runShell(
  sandbox: Sandbox,
  script: string,
  ...parameters: string[]
): Promise<ProgramOutcome> {
  return outcomeOf(await startShell(sandbox, script, ...parameters));
}

export async function runNode(sandbox: Sandbox, script: string): Promise<ProgramOutcome> {
  return outcomeOf(await startNode(sandbox, script));
}

/** Settles when the guest has printed this line on its standard output. */
export function lineOf(guest: GuestProcess, line: string): Promise<void> {
  return new Promise((resolve, reject) => {
    let printed = '';
    guest.stdout.on('data', (chunk: Buffer) => {
      printed += chunk.toString();
      if (printed.split('\n').includes(line)) resolve();
    });
    void guest.exited.then(() => reject(new Error(`the guest ended and printed: ${printed}`)));
  });
}

/** A number of seconds to sleep that no other process on this machine sleeps. */
export function uniqueSeconds(): string {
  return String(randomInt(1_000_000_000, 2_000_000_000));
}

/** Numbers of the processes on the machine that have `argument` in their command line. */
export function processesWith(argument: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => {
      try {
        return readFileSync(`/proc/${pid}/cmdline`, 'latin1').split('\0').includes(argument);
      } catch {
        return false;
      }
    })
    .map(Number);
}

/** Everything on the machine that bears the name of one server instance. */
export function tracesOf(instanceId: string): string[] {
  const groups = ['/sys/fs/cgroup', ...listed('/sys/fs/cgroup')].flatMap((folder) =>
    groupsBelow(folder, instanceId),
  );
  const mounts = readFileSync('/proc/self/mountinfo', 'utf8').split('\n');
  return [
    ...mounts.filter((line) => line.includes(instanceId)),
    ...listed('/run/hearth').filter((path) => path.includes(instanceId)),
    ...groups,
  ];
}

function groupsBelow(folder: string, instanceId: string): string[] {
  return listed(folder, true).flatMap((path) =>
    path.includes(instanceId) ? [path] : groupsBelow(path, instanceId),
  );
}

function listed(folder: string, foldersOnly = false): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => !foldersOnly || entry.isDirectory())
      .map((entry) => join(folder, entry.name));
  } catch {
    return [];
  }
}
