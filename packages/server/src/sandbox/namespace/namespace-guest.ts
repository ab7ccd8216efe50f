import { closeSync } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import {
  exitOfMergedStatus,
  exitWithCode,
  exitWithSignal,
  NOT_EXECUTABLE_STATUS,
  NOT_FOUND_STATUS,
} from '../guest-exit.ts';
import { guestStreams, type GuestStreams, holdOutput } from '../guest-streams.ts';
import { KernelFigure, parseStatusPeak } from '../kernel-figure.ts';
import { killTagged } from '../process-tag.ts';
import { type GuestCommand, type GuestExit, type GuestProcess, SandboxError } from '../sandbox.ts';
import {
  adoptFirstProcess,
  launchBwrap,
  type LaunchedBwrap,
  type LaunchPlan,
  programStarted,
} from './launch-bwrap.ts';

const SIGKILL = 9;

/** A process with the most memory that its sandbox or its program has held, in bytes. */
export interface MeasuredGuest extends GuestProcess {
  memoryPeakBytes(): number | undefined;
}

/**
 * Starts the program in a sandbox of its own. Rejects where the sandbox cannot be set up or `signal`
 * is aborted, and then nothing runs any more.
 */
export async function startNamespaceGuest(
  plan: LaunchPlan,
  bwrapArguments: string,
  command: GuestCommand,
  signal: AbortSignal,
): Promise<MeasuredGuest> {
  const killsBefore = plan.group?.outOfMemoryKills() ?? 0;
  const launched = await launchBwrap(plan, bwrapArguments, command);
  const streams = guestStreams(launched.child, command.descriptors);
  const handOut = holdOutput(streams);
  let first: number | undefined;
  try {
    const pid = await launched.status.childPid;
    if (pid === undefined) throw await setupError(launched, streams);
    first = await adoptFirstProcess(plan, launched.pid, pid);
    const guest = new NamespaceGuest(plan, launched, streams, first, killsBefore);
    launched.release();
    await programStarted(pid, (program) => guest.hold(program), launched.ended, signal);
    if (signal.aborted) {
      await guest.kill();
      throw new SandboxError('it was aborted', { cause: signal.reason });
    }
    if (!guest.ended || launched.status.exitCode !== undefined) return guest;
    return await unexecuted(guest, streams.stderr);
  } catch (error) {
    if (first === undefined) {
      // Not even its first process is known: it must not go on by itself.
      launched.child.kill('SIGKILL');
      launched.release();
      await launched.ended;
      if (plan.tag !== undefined) await killTagged(plan.calls, plan.tag);
    }
    for (const stream of Object.values(streams)) stream?.destroy();
    throw error;
  } finally {
    handOut();
  }
}

class NamespaceGuest implements MeasuredGuest {
  readonly channel;
  readonly stdout;
  readonly stderr;
  readonly log;
  readonly exited: Promise<GuestExit>;
  readonly #plan: LaunchPlan;
  readonly #launched: LaunchedBwrap;
  /** Descriptor of the first process of the PID namespace: with it ends everything. */
  readonly #first: number;
  readonly #killsBefore: number;
  /** Descriptor of the program; undefined where it ended before it was seen. */
  #program: number | undefined;
  /** Of the program alone, where no control group counts for all. */
  #programPeak: KernelFigure | undefined;
  #ended = false;
  #gone = false;

  constructor(
    plan: LaunchPlan,
    launched: LaunchedBwrap,
    streams: GuestStreams,
    first: number,
    killsBefore: number,
  ) {
    this.channel = streams.channel;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.log = streams.log;
    this.#plan = plan;
    this.#launched = launched;
    this.#first = first;
    this.#killsBefore = killsBefore;
    this.exited = this.#end();
  }

  /** True once bubblewrap has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** Keeps hold of the program, so that its exit can be asked for once it is gone. */
  hold(pid: number): void {
    if (this.#ended || this.#program !== undefined) return;
    this.#program = this.#plan.calls.openProcess(pid);
    if (this.#plan.group?.memoryPeakBytes() === undefined) {
      this.#programPeak = new KernelFigure(`/proc/${pid}/status`, parseStatusPeak);
    }
  }

  memoryPeakBytes(): number | undefined {
    return this.#plan.group?.memoryPeakBytes() ?? this.#programPeak?.read();
  }

  terminate(): void {
    if (!this.#gone && this.#program !== undefined)
      this.#plan.calls.terminateProcess(this.#program);
  }

  async kill(): Promise<void> {
    if (!this.#gone) {
      this.#plan.calls.killProcess(this.#first);
    }
    await this.exited;
  }

  async #end(): Promise<GuestExit> {
    await this.#launched.ended;
    this.#ended = true;
    // Bubblewrap ends with the program; its death then ends the first process, and the kernel kills
    // and waits for every other one before that is dead.
    await this.#plan.calls.processEnded(this.#first);
    this.#gone = true;
    const exit = this.#exit();
    closeSync(this.#first);
    if (this.#program !== undefined) closeSync(this.#program);
    this.#programPeak?.[Symbol.dispose]();
    return exit;
  }

  #exit(): GuestExit {
    const kills = this.#plan.group?.outOfMemoryKills() ?? 0;
    const outOfMemory = kills > this.#killsBefore;
    // Tells a program that exits with 137 from one that was killed, which bubblewrap does not.
    const status =
      this.#program === undefined ? undefined : this.#plan.calls.waitStatus(this.#program);
    if (status?.signal !== undefined) return exitWithSignal(status.signal, outOfMemory);
    if (status?.code !== undefined) return exitWithCode(status.code);
    const { exitCode } = this.#launched.status;
    if (exitCode === undefined) return exitWithSignal(SIGKILL, outOfMemory);
    return exitOfMergedStatus(exitCode, outOfMemory);
  }
}

/**
 * What to make of a sandbox that ended before its program began. A program that is not there, or may
 * not be executed, is the function's fault: it ends with the status that a shell gives. Anything else
 * is the platform's. What is on stderr is bubblewrap's, as nothing else has run.
 */
async function unexecuted(guest: NamespaceGuest, stderr: Readable): Promise<MeasuredGuest> {
  const printed = await text(stderr);
  await guest.exited;
  const errorText = /^bwrap: execvp .*: (.+)$/m.exec(printed)?.[1];
  const status = {
    'No such file or directory': NOT_FOUND_STATUS,
    'Not a directory': NOT_FOUND_STATUS,
    'Permission denied': NOT_EXECUTABLE_STATUS,
    'Exec format error': NOT_EXECUTABLE_STATUS,
  }[errorText ?? ''];
  if (status === undefined) throw new SandboxError(reasonOf(printed));
  return {
    channel: guest.channel,
    stdout: guest.stdout,
    stderr: new PassThrough().end(printed.replace(/^bwrap: execvp /, '')),
    log: guest.log,
    exited: Promise.resolve(exitWithCode(status)),
    memoryPeakBytes: () => guest.memoryPeakBytes(),
    terminate: () => {},
    kill: () => Promise.resolve(),
  };
}

async function setupError(launched: LaunchedBwrap, streams: GuestStreams): Promise<SandboxError> {
  await launched.ended;
  return new SandboxError(reasonOf(await text(streams.stderr)));
}

function reasonOf(printed: string): string {
  return printed.trim().split('\n')[0] || 'bubblewrap ended without a message';
}
