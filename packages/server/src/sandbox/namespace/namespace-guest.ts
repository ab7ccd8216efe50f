import { closeSync } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { type LinuxSystemCalls, Signal } from '../../system-calls/linux-system-calls.ts';
import {
  exitOfMergedStatus,
  exitWithCode,
  exitWithSignal,
  NOT_EXECUTABLE_STATUS,
  NOT_FOUND_STATUS,
} from '../guest-exit.ts';
import { killTagged } from '../process-tag.ts';
import { signalTree } from '../process-tree.ts';
import { type GuestCommand, type GuestExit, type GuestProcess, SandboxError } from '../sandbox.ts';
import { destroyStreams } from './guest-sockets.ts';
import {
  adoptFirstProcess,
  launchBwrap,
  type LaunchedBwrap,
  type LaunchPlan,
  programStarted,
  type StartTag,
} from './launch-bwrap.ts';
import type { SandboxControl } from './sandbox-control.ts';

/** As `exitWithSignal` calls SIGKILL. */
const KILLED = exitWithSignal(Signal.kill).signal;

/** What the guests of one sandbox are started with, and what they have in common. */
export interface GuestSetting {
  readonly plan: LaunchPlan;
  readonly control: SandboxControl;
}

/**
 * Starts the program in a sandbox of its own. Rejects where the sandbox cannot be set up or `signal`
 * is aborted, and then nothing runs any more.
 *
 * @param hasStarted settles when the program has taken bubblewrap's place
 */
export async function startNamespaceGuest(
  setting: GuestSetting,
  tag: StartTag,
  bwrapArguments: string,
  command: GuestCommand,
  signal: AbortSignal,
  hasStarted = programStarted,
): Promise<GuestProcess> {
  const { plan, control } = setting;
  const killsBefore = control.outOfMemoryKills();
  const launched = launchBwrap(plan, tag, bwrapArguments, command);
  const { streams } = launched;
  let first: number | undefined;
  try {
    const pid = await launched.status.childPid;
    if (pid === undefined) throw await setupError(launched);
    first = await adoptFirstProcess(plan, launched.process.pid, pid);
    const guest = new NamespaceGuest(setting, launched, {
      pid,
      descriptor: first,
      killsBefore,
    });
    launched.release();
    await hasStarted(pid, (program) => guest.hold(program), launched.ended, signal);
    if (signal.aborted) {
      await guest.kill();
      throw new SandboxError('it was aborted', { cause: signal.reason });
    }
    if (!guest.ended || launched.status.exitCode !== undefined) return guest;
    return await unexecuted(guest, streams.stderr);
  } catch (error) {
    if (first === undefined) {
      // Not even its first process is known: it must not go on by itself.
      launched.process.kill();
      using _ = control.lettingDie();
      launched.release();
      await launched.ended;
      if (tag !== undefined) await killTagged(plan.calls, tag);
    }
    destroyStreams(streams);
    throw error;
  }
}

/** The first process of a guest's PID namespace: with it ends everything. */
interface FirstProcess {
  readonly pid: number;
  /** Closed when the guest is gone. */
  readonly descriptor: number;
  /** What `SandboxControl.outOfMemoryKills` was before it was started. */
  readonly killsBefore: number;
}

export class NamespaceGuest implements GuestProcess {
  readonly channel;
  readonly stdout;
  readonly stderr;
  readonly log;
  readonly exited: Promise<GuestExit>;
  readonly #calls: LinuxSystemCalls;
  readonly #control: SandboxControl;
  readonly #launched: LaunchedBwrap;
  readonly #first: FirstProcess;
  /** Undefined where the program ended before it was seen. */
  #program: { readonly pid: number; readonly descriptor: number } | undefined;
  /** True where the server has ended a program that was alive. */
  #killed = false;
  #ended = false;
  #gone = false;

  constructor({ plan, control }: GuestSetting, launched: LaunchedBwrap, first: FirstProcess) {
    const { streams } = launched;
    this.channel = streams.channel;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.log = streams.log;
    this.#calls = plan.calls;
    this.#control = control;
    this.#launched = launched;
    this.#first = first;
    control.add(this);
    this.exited = this.#end();
  }

  /** True once bubblewrap has ended. */
  get ended(): boolean {
    return this.#ended;
  }

  /** By which others find the guest's namespaces; undefined once it is gone. */
  get firstProcess(): { readonly pid: number; readonly descriptor: number } | undefined {
    return this.#gone ? undefined : this.#first;
  }

  /** Keeps hold of the program, so that its exit can be asked for once it is gone. */
  hold(pid: number): void {
    if (this.#ended || this.#program !== undefined) return;
    this.#program = { pid, descriptor: this.#calls.openProcess(pid) };
    this.#control.peaks.add(pid);
  }

  terminate(): void {
    if (this.#gone || this.#program === undefined) return;
    this.#calls.signalProcess(this.#program.descriptor, Signal.terminate);
  }

  async kill(): Promise<void> {
    if (this.#gone) return;
    if (this.#program !== undefined && !this.#calls.hasEnded(this.#program.descriptor)) {
      this.#killed = true;
    }
    this.#calls.signalProcess(this.#first.descriptor, Signal.kill);
    using _ = this.#control.lettingDie();
    await this.exited;
  }

  setStopped(stopped: boolean): void {
    if (this.#gone || this.#calls.hasEnded(this.#first.descriptor)) return;
    signalTree(this.#first.pid, stopped ? 'SIGSTOP' : 'SIGCONT');
  }

  async #end(): Promise<GuestExit> {
    await this.#launched.ended;
    this.#ended = true;
    // Bubblewrap ends with the program; its death then ends the first process, and the kernel kills
    // and waits for every other one before that is dead.
    await this.#calls.processEnded(this.#first.descriptor);
    this.#gone = true;
    this.#control.remove(this);
    const exit = this.#exit();
    closeSync(this.#first.descriptor);
    if (this.#program !== undefined) {
      this.#control.peaks.remove(this.#program.pid);
      closeSync(this.#program.descriptor);
    }
    return exit;
  }

  #exit(): GuestExit {
    // Tells a program that exits with 137 from one that was killed, which bubblewrap does not.
    const status = this.#program && this.#calls.waitStatus(this.#program.descriptor);
    if (status?.signal !== undefined) return this.#signalled(exitWithSignal(status.signal));
    if (status?.code !== undefined) return exitWithCode(status.code);
    const { exitCode } = this.#launched.status;
    return this.#signalled(
      exitCode === undefined ? exitWithSignal(Signal.kill) : exitOfMergedStatus(exitCode),
    );
  }

  #signalled(exit: GuestExit): GuestExit {
    if (exit.signal !== KILLED || this.#killed) return exit;
    const outOfMemory = this.#control.takeOutOfMemoryKill(this.#first.killsBefore);
    return { ...exit, outOfMemory };
  }
}

/**
 * What to make of a sandbox that ended before its program began. A program that is not there, or may
 * not be executed, is the function's fault: it ends with the status that a shell gives. Anything else
 * is the platform's. What is on stderr is bubblewrap's, as nothing else has run.
 */
async function unexecuted(guest: NamespaceGuest, stderr: Readable): Promise<GuestProcess> {
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
    terminate: () => {},
    kill: () => Promise.resolve(),
  };
}

async function setupError(launched: LaunchedBwrap): Promise<SandboxError> {
  await launched.ended;
  return new SandboxError(reasonOf(await text(launched.streams.stderr)));
}

function reasonOf(printed: string): string {
  return printed.trim().split('\n')[0] || 'bubblewrap ended without a message';
}
