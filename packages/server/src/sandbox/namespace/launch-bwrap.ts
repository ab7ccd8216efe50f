import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, readFileSync, writeSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { Resource } from '../../system-calls/linux-system-calls.ts';
import { type SpawnScope, spawnWithin } from './spawn-scope.ts';
import { childSocket, guestStdio, spawnFailure } from '../guest-streams.ts';
import { type ProcessTag, spawnTagged } from '../process-tag.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import { ARGUMENTS_FD, BLOCK_FD, STATUS_FD } from './bwrap-arguments.ts';
import { BwrapStatus } from './bwrap-status.ts';
import type { GuestCommand } from '../sandbox.ts';
import type { SandboxPrograms } from './sandbox-programs.ts';
import type { ControlGroup } from './control-group.ts';
import { raiseOutOfMemoryScore } from './out-of-memory-score.ts';
import type { HostUser } from './uid-range.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** What a sandbox's processes are started with. */
export interface LaunchPlan {
  readonly calls: LinuxSystemCalls;
  readonly programs: SandboxPrograms;
  /** On the host; undefined where the server may not choose. */
  readonly user: HostUser | undefined;
  readonly group: ControlGroup | undefined;
  /** What bubblewrap is started in, the first entered first. */
  readonly scopes: readonly SpawnScope[];
  readonly addedDescriptors: readonly AddedDescriptor[];
}

/** One more descriptor for bubblewrap, such as that of a filter. */
export interface AddedDescriptor {
  /** Takes the descriptor as its only argument. */
  readonly option: string;
  /** Opens it anew for one start, which closes it. */
  open(): number;
}

/** Marks the processes of one start; undefined where the system does not let them be marked. */
export type StartTag = ProcessTag | undefined;

/** A sandbox with its first process, which waits for `release`. */
export interface LaunchedBwrap {
  readonly child: ChildProcess;
  readonly pid: number;
  readonly status: BwrapStatus;
  /** Settles when bubblewrap itself has ended; what it started may still be ending. */
  readonly ended: Promise<unknown>;
  /** Lets the sandbox start the program. Called once. */
  release(): void;
}

/** As on AWS, soft and hard. */
export const OPEN_FILES = 1_024;
const GUEST_POLL_MS = 1;

/**
 * Starts bubblewrap. It sets the sandbox up and then waits, so that everything that is done to its
 * first process is done before the program's first instruction. What it does to the server's thread
 * and limits is undone when this returns.
 */
export async function launchBwrap(
  plan: LaunchPlan,
  tag: StartTag,
  bwrapArguments: string,
  { argv, descriptors }: GuestCommand,
): Promise<LaunchedBwrap> {
  const { calls, scopes, user } = plan;
  using passed = new DisposableStack();
  const passing = (descriptor: number): number => passed.adopt(descriptor, closeSync);
  const argumentsFile = passing(calls.createMemoryFile('hearth-arguments'));
  const added = plan.addedDescriptors.map((each) => passing(each.open()));
  const block = calls.createPipe();
  passing(block.read);
  const [program, ...parameters] = commandLine(plan.programs, argv);
  const start = (): ChildProcess =>
    spawn(program, parameters, {
      cwd: '/',
      // Visible inside as the environment of process 1.
      env: {},
      ...user,
      stdio: stdioOf(descriptors, argumentsFile, block.read, added),
    });
  const startTagged = (): ChildProcess =>
    tag === undefined ? start() : spawnTagged(calls, tag, start);
  let child: ChildProcess;
  try {
    // At a given place, so that bubblewrap reads from the start.
    writeSync(argumentsFile, bwrapArguments, 0);
    child = spawnWithin(scopes, startTagged);
  } catch (error) {
    closeSync(block.write);
    throw error;
  }
  if (child.pid === undefined) {
    closeSync(block.write);
    throw await spawnFailure(child);
  }
  const exited = new Promise((resolve) => {
    child.once('exit', resolve);
  });
  child.on('error', () => {});
  const status = new BwrapStatus(childSocket(child, STATUS_FD));
  return {
    child,
    pid: child.pid,
    status,
    ended: Promise.all([exited, status.ended]),
    release: () => release(block.write),
  };
}

/**
 * Takes hold of the sandbox's first process: moves it into its control groups and sets the limits
 * that are a process's own. Returns a descriptor that the caller closes.
 */
export async function adoptFirstProcess(
  plan: LaunchPlan,
  bwrapPid: number,
  pid: number,
): Promise<number> {
  const { calls } = plan;
  const descriptor = calls.openProcess(pid);
  try {
    // From here on the descriptor is proof against a number that is used again.
    if (parentOf(pid) !== bwrapPid) throw new Error(`process ${pid} is not of bubblewrap`);
    if (plan.programs.prlimit === undefined) {
      calls.setResourceLimit(pid, Resource.openFiles, {
        soft: BigInt(OPEN_FILES),
        hard: BigInt(OPEN_FILES),
      });
      calls.setResourceLimit(pid, Resource.coreBytes, { soft: 0n, hard: 0n });
    }
    raiseOutOfMemoryScore(pid);
    await plan.group?.adopt(pid);
    return descriptor;
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

/**
 * Settles when the program has taken bubblewrap's place in the sandbox's second process, or when
 * this is no longer to be expected: bubblewrap has ended, or `signal` is aborted. Nothing announces
 * it, and nobody waits for it: the program boots meanwhile. `seen` is called with the number of that
 * process before.
 */
export async function programStarted(
  firstPid: number,
  seen: (pid: number) => void,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  await look(ended, signal, async () => {
    const path = `/proc/${firstPid}/task/${firstPid}/children`;
    const [pid] = (await readFile(path, 'latin1')).trim().split(' ').map(Number);
    if (pid === undefined || pid <= 0) return false;
    seen(pid);
    return (await nameOf(pid)) !== 'bwrap';
  });
}

/** The same for a program that is the first process itself, and comes to its name by and by. */
export async function firstProcessStarted(
  firstPid: number,
  name: string,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  await look(ended, signal, async () => (await nameOf(firstPid)) === name);
}

async function look(
  ended: Promise<unknown>,
  signal: AbortSignal,
  isThere: () => Promise<boolean>,
): Promise<void> {
  const clock = new SystemClock();
  const state = { ended: false };
  const end = ended.then(() => {
    state.ended = true;
  });
  while (!state.ended && !signal.aborted) {
    try {
      if (await isThere()) return;
    } catch {
      // Gone already; `ended` will say so.
    }
    const delay = new Promise<void>((resolve) => {
      clock.startTimer(GUEST_POLL_MS, resolve);
    });
    // The timer alone would not keep a server alive that has nothing else to do yet.
    await Promise.race([delay, end]);
  }
}

async function nameOf(pid: number): Promise<string> {
  return (await readFile(`/proc/${pid}/comm`, 'latin1')).trimEnd();
}

function commandLine(
  { bwrap, prlimit }: SandboxPrograms,
  argv: readonly string[],
): [string, ...string[]] {
  const start = ['--args', String(ARGUMENTS_FD), '--', ...argv];
  if (prlimit === undefined) return [bwrap, ...start];
  return [prlimit, `--nofile=${OPEN_FILES}:${OPEN_FILES}`, '--core=0:0', bwrap, ...start];
}

function stdioOf(
  descriptors: GuestCommand['descriptors'],
  argumentsFile: number,
  blockEnd: number,
  added: readonly number[],
): (number | 'pipe' | 'ignore')[] {
  const stdio: (number | 'pipe' | 'ignore')[] = guestStdio(descriptors);
  while (stdio.length < ARGUMENTS_FD) stdio.push('ignore');
  stdio[ARGUMENTS_FD] = argumentsFile;
  stdio[STATUS_FD] = 'pipe';
  stdio[BLOCK_FD] = blockEnd;
  return [...stdio, ...added];
}

function release(blockEnd: number): void {
  try {
    writeSync(blockEnd, '1');
  } catch (error) {
    if (errorCode(error) !== 'EPIPE') throw error;
  } finally {
    closeSync(blockEnd);
  }
}

function parentOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
}
