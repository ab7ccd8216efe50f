import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import {
  type LinuxSystemCalls,
  Resource,
  Signal,
  UNLIMITED,
} from '../system-calls/linux-system-calls.ts';

/*
 * Linux does not tell which environment a process belongs to once it has made itself a session and
 * lost its parents, and a variable in its environment goes when a program clears it. What every
 * process inherits, keeps over exec and shows in /proc is its resource limits. The soft limit of
 * RLIMIT_RTTIME is free to carry a mark: it counts for real-time scheduling only, and a mark of more
 * than 2^61 microseconds is never reached.
 *
 * A mark is 1 bit, 36 random bits of the server instance, 24 bits of the guest.
 */
const MARK = 1n << 61n;
const GUEST_BITS = 24n;
const GUEST_MASK = (1n << GUEST_BITS) - 1n;
/** A nibble is left out of the five bytes of `randomBytes`. */
const INSTANCE_MASK = (1n << 36n) - 1n;
const LIMIT_LINE = /^Max realtime timeout\s+(\d+)/m;

/** A set of processes: those of one guest, or of every guest of a server instance. */
export interface ProcessTag {
  readonly value: bigint;
  readonly wholeInstance: boolean;
}

/** A tag that no other server instance uses. */
export function createInstanceTag(): ProcessTag {
  const instance = BigInt(`0x${randomBytes(5).toString('hex')}`) & INSTANCE_MASK;
  return { value: MARK | (instance << GUEST_BITS), wholeInstance: true };
}

/** The instance tag that was written down as a decimal number. */
export function parseInstanceTag(text: string): ProcessTag {
  return { value: BigInt(text) & ~GUEST_MASK, wholeInstance: true };
}

/** The tag of an instance's guest; the numbers start again after 16 million. */
export function guestTag(instance: ProcessTag, guest: number): ProcessTag {
  return { value: instance.value | (BigInt(guest) & GUEST_MASK), wholeInstance: false };
}

/** True where this process may be marked: a hard limit, set from outside, would stand in the way. */
export function canTagProcesses(calls: LinuxSystemCalls): boolean {
  return calls.resourceLimit(0, Resource.realtimeCpuMicroseconds).hard === UNLIMITED;
}

/**
 * Calls `spawn`, which must not wait for anything; a process that it starts bears the tag before its
 * first instruction, and inherits no descriptor that it was not given.
 */
export function spawnTagged<Child>(
  calls: LinuxSystemCalls,
  tag: ProcessTag,
  spawn: () => Child,
): Child {
  const own = calls.resourceLimit(0, Resource.realtimeCpuMicroseconds);
  calls.closeAllOnExec();
  calls.setResourceLimit(0, Resource.realtimeCpuMicroseconds, { soft: tag.value, hard: own.hard });
  try {
    return spawn();
  } finally {
    calls.setResourceLimit(0, Resource.realtimeCpuMicroseconds, own);
  }
}

/**
 * Kills every process that bears the tag and settles once none is left. A process that forks and
 * ends while the others are looked at may leave one that nobody looks at: only when a second look
 * finds nothing either, none is left.
 */
export async function killTagged(calls: LinuxSystemCalls, tag: ProcessTag): Promise<void> {
  const others = new Set<number>();
  for (let looksInVain = 0; looksInVain < 2; looksInVain += 1) {
    const found = await findTagged(tag, others);
    if (found.length > 0) looksInVain = -1;
    await Promise.all(found.map((pid) => killOne(calls, tag, pid)));
  }
}

/**
 * Numbers of the living processes that bear the tag. Those that do not are added to `others`, and
 * are not looked at when they are in it already: no process comes by a tag later on.
 */
async function findTagged(tag: ProcessTag, others: Set<number>): Promise<number[]> {
  const names = await readdir('/proc');
  const pids = names
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => !others.has(pid));
  const hits = await Promise.all(pids.map((pid) => isTagged(tag, pid)));
  for (const [index, pid] of pids.entries()) if (hits[index] !== true) others.add(pid);
  return pids.filter((_, index) => hits[index]);
}

async function killOne(calls: LinuxSystemCalls, tag: ProcessTag, pid: number): Promise<void> {
  let descriptor: number;
  try {
    descriptor = calls.openProcess(pid);
  } catch {
    // It is gone, or the server has no descriptor left; then the next look sees whether it died.
    if (await isTagged(tag, pid)) signalOnce(pid);
    return;
  }
  try {
    // The number may have been given to another process before the descriptor was opened.
    if (!(await isTagged(tag, pid))) return;
    calls.signalProcess(descriptor, Signal.kill);
    await calls.processEnded(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

function signalOnce(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // It is gone.
  }
}

async function isTagged(tag: ProcessTag, pid: number): Promise<boolean> {
  try {
    const limits = await readFile(`/proc/${pid}/limits`, 'latin1');
    const text = LIMIT_LINE.exec(limits)?.[1];
    if (text === undefined || !matches(tag, BigInt(text))) return false;
    // A dead process that its parent has not waited for still shows its limits.
    const state = /.*\) (\S)/s.exec(await readFile(`/proc/${pid}/stat`, 'latin1'))?.[1];
    return state !== 'Z' && state !== 'X';
  } catch {
    return false;
  }
}

function matches(tag: ProcessTag, value: bigint): boolean {
  return (tag.wholeInstance ? value & ~GUEST_MASK : value) === tag.value;
}
