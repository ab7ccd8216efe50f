import { closeSync, readFileSync, writeSync } from 'node:fs';
import { type LinuxSystemCalls, Resource } from '../../system-calls/linux-system-calls.ts';
import { type SpawnScope, spawnWithin } from './spawn-scope.ts';
import type { GuestStreams } from '../guest-streams.ts';
import { type ProcessTag, spawnTagged } from '../process-tag.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import { ARGUMENTS_FD, BLOCK_FD, STATUS_FD } from './bwrap-arguments.ts';
import { BwrapStatus } from './bwrap-status.ts';
import { destroyStreams, openGuestSockets, openSocket } from './guest-sockets.ts';
import { type ProcessCalls, SpawnedProcess } from './spawned-process.ts';
import type { GuestCommand } from '../sandbox.ts';
import type { ControlGroup } from './control-group.ts';
import { raiseOutOfMemoryScore } from './out-of-memory-score.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** What a sandbox's processes are started with. */
export interface LaunchPlan extends ProcessCalls {
  /** Absolute path. */
  readonly bwrap: string;
  /** Who the processes are on the host; undefined where the server may not choose. */
  readonly user: SpawnScope | undefined;
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
  readonly process: SpawnedProcess;
  readonly streams: GuestStreams;
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
export function launchBwrap(
  plan: LaunchPlan,
  tag: StartTag,
  bwrapArguments: string,
  command: GuestCommand,
): LaunchedBwrap {
  const { calls, spawns } = plan;
  using passed = new DisposableStack();
  const passing = (descriptor: number): number => passed.adopt(descriptor, closeSync);
  // What is left to the caller once bubblewrap runs.
  using kept = new DisposableStack();
  const argumentsFile = passing(calls.createMemoryFile('hearth-arguments'));
  // At a given place, so that bubblewrap reads from the start.
  writeSync(argumentsFile, bwrapArguments, 0);
  const added = plan.addedDescriptors.map((each) => passing(each.open()));
  const block = calls.createPipe();
  passing(block.read);
  kept.adopt(block.write, closeSync);
  const streams = kept.adopt(
    openGuestSockets(plan.descriptors, command.descriptors, passing),
    destroyStreams,
  );
  const statusSocket = openSocket(plan.descriptors, passing);
  kept.defer(() => statusSocket.socket.destroy());
  const descriptors: (number | undefined)[] = [...streams.theirs];
  while (descriptors.length < ARGUMENTS_FD) descriptors.push(undefined);
  descriptors[ARGUMENTS_FD] = argumentsFile;
  descriptors[STATUS_FD] = statusSocket.theirs;
  descriptors[BLOCK_FD] = block.read;
  const request = {
    program: plan.bwrap,
    parameters: ['--args', String(ARGUMENTS_FD), '--', ...command.argv],
    descriptors: [...descriptors, ...added],
  };
  const start = (): number => spawnWithin(userOf(plan), () => spawns.spawn(request));
  const startTagged = (): number => (tag === undefined ? start() : spawnTagged(calls, tag, start));
  const pid = spawnWithin(plan.scopes, startTagged);
  // What is freed here is enough for what is opened next.
  passed.dispose();
  const process = new SpawnedProcess(plan, pid);
  kept.move();
  const status = new BwrapStatus(statusSocket.socket);
  return {
    process,
    streams,
    status,
    ended: Promise.all([process.ended, status.ended]),
    release: () => release(block.write),
  };
}

function userOf({ user }: LaunchPlan): readonly SpawnScope[] {
  return user === undefined ? [] : [user];
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
    // The sandbox's own user may limit its processes; root may need a capability for it.
    spawnWithin(userOf(plan), () => limitResources(calls, pid));
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
  await look(ended, signal, () => {
    const path = `/proc/${firstPid}/task/${firstPid}/children`;
    const [pid] = readFileSync(path, 'latin1').trim().split(' ').map(Number);
    if (pid === undefined || pid <= 0) return false;
    seen(pid);
    return nameOf(pid) !== 'bwrap';
  });
}

/** The same for a program that is the first process itself, and comes to its name by and by. */
export async function firstProcessStarted(
  firstPid: number,
  name: string,
  ended: Promise<unknown>,
  signal: AbortSignal,
): Promise<void> {
  await look(ended, signal, () => nameOf(firstPid) === name);
}

/** The kernel answers from memory: to read in a worker thread takes eight times as long. */
async function look(
  ended: Promise<unknown>,
  signal: AbortSignal,
  isThere: () => boolean,
): Promise<void> {
  const clock = new SystemClock();
  const state = { ended: false };
  const end = ended.then(() => {
    state.ended = true;
  });
  while (!state.ended && !signal.aborted) {
    try {
      if (isThere()) return;
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

function nameOf(pid: number): string {
  return readFileSync(`/proc/${pid}/comm`, 'latin1').trimEnd();
}

function limitResources(calls: LinuxSystemCalls, pid: number): void {
  const openFiles = BigInt(OPEN_FILES);
  calls.setResourceLimit(pid, Resource.openFiles, { soft: openFiles, hard: openFiles });
  calls.setResourceLimit(pid, Resource.coreBytes, { soft: 0n, hard: 0n });
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
