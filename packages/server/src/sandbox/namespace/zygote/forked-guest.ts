import { closeSync, openSync } from 'node:fs';
import type { DescriptorCalls } from '../../../system-calls/descriptor-calls.ts';
import { Resource, Signal } from '../../../system-calls/linux-system-calls.ts';
import { exitWithCode, exitWithSignal } from '../../guest-exit.ts';
import type { GuestStreams } from '../../guest-streams.ts';
import type { ProcessTag } from '../../process-tag.ts';
import { signalTree } from '../../process-tree.ts';
import {
  type GuestCommand,
  type GuestExit,
  type GuestProcess,
  SandboxError,
} from '../../sandbox.ts';
import { destroyStreams, openGuestSockets } from '../guest-sockets.ts';
import { OPEN_FILES } from '../launch-bwrap.ts';
import type { GuestSetting, NamespaceGuest } from '../namespace-guest.ts';
import { GUEST_GID, GUEST_UID } from '../system-image.ts';
import type { ForkedProgram, NamedDescriptor, Zygote } from './zygote.ts';

/** What a fork is made with. */
export interface ForkPlan {
  readonly zygote: Zygote;
  readonly descriptors: DescriptorCalls;
  /** Opens the filter of system calls; the caller closes it. */
  readonly openFilter: (() => number) | undefined;
  readonly tag: ProcessTag | undefined;
}

/** As `exitWithSignal` calls SIGKILL. */
const KILLED = exitWithSignal(Signal.kill).signal;

/**
 * Forks a guest into a sandbox that is there already, kept by a program that does nothing. Rejects
 * where that fails; the caller then ends the keeper, and with it what may have come into being.
 */
export async function forkGuest(
  setting: GuestSetting,
  keeper: NamespaceGuest,
  plan: ForkPlan,
  command: GuestCommand,
): Promise<GuestProcess> {
  const killsBefore = setting.control.outOfMemoryKills();
  const first = keeper.firstProcess;
  if (first === undefined) throw new SandboxError('Cannot fork a guest as its sandbox has ended');
  using opened = new DisposableStack();
  const opening = (descriptor: number): number => opened.adopt(descriptor, closeSync);
  const entrances = setting.plan.group?.entrances() ?? [];
  const streams = openGuestSockets(plan.descriptors, command.descriptors, opening);
  try {
    const program = await plan.zygote.fork(first.pid, {
      uid: GUEST_UID,
      gid: GUEST_GID,
      cwd: command.cwd,
      limits: [
        [Resource.openFiles, BigInt(OPEN_FILES), BigInt(OPEN_FILES)],
        [Resource.coreBytes, 0n, 0n],
        ...(plan.tag === undefined
          ? []
          : ([[Resource.realtimeCpuMicroseconds, plan.tag.value, undefined]] as const)),
      ],
      descriptors: [
        ['firstProcess', first.descriptor],
        ...streams.theirs.map((descriptor): NamedDescriptor => ['stdio', descriptor]),
        ...(plan.openFilter === undefined
          ? []
          : ([['filter', opening(plan.openFilter())]] as const)),
        ...entrances.map((path): NamedDescriptor => ['group', opening(openSync(path, 'r+'))]),
      ],
    });
    return new ForkedGuest(setting, keeper, program, streams, killsBefore);
  } catch (error) {
    destroyStreams(streams);
    throw error;
  }
}

class ForkedGuest implements GuestProcess {
  readonly channel;
  readonly stdout;
  readonly stderr;
  readonly log;
  readonly exited: Promise<GuestExit>;
  readonly #setting: GuestSetting;
  readonly #keeper: NamespaceGuest;
  readonly #program: ForkedProgram;
  readonly #killsBefore: number;
  /** True where the server has ended a program that was alive. */
  #killed = false;
  #ended = false;

  constructor(
    setting: GuestSetting,
    keeper: NamespaceGuest,
    program: ForkedProgram,
    streams: GuestStreams,
    killsBefore: number,
  ) {
    this.channel = streams.channel;
    this.stdout = streams.stdout;
    this.stderr = streams.stderr;
    this.log = streams.log;
    this.#setting = setting;
    this.#keeper = keeper;
    this.#program = program;
    this.#killsBefore = killsBefore;
    setting.control.add(this);
    setting.control.peaks.add(program.pid);
    this.exited = this.#end();
  }

  terminate(): void {
    if (!this.#ended) {
      this.#setting.plan.calls.signalProcess(this.#program.descriptor, Signal.terminate);
    }
  }

  async kill(): Promise<void> {
    if (this.#ended) return;
    if (!this.#setting.plan.calls.hasEnded(this.#program.descriptor)) this.#killed = true;
    await this.#keeper.kill();
    await this.exited;
  }

  setStopped(stopped: boolean): void {
    if (!this.#ended) signalTree(this.#program.pid, stopped ? 'SIGSTOP' : 'SIGCONT');
  }

  /** The program's end is that of all it has started, which the keeper's first process takes along. */
  async #end(): Promise<GuestExit> {
    const { calls } = this.#setting.plan;
    const { descriptor, pid } = this.#program;
    await calls.processEnded(descriptor);
    await this.#keeper.kill();
    const status = (await this.#program.ended) ?? calls.waitStatus(descriptor);
    this.#ended = true;
    this.#setting.control.remove(this);
    this.#setting.control.peaks.remove(pid);
    closeSync(descriptor);
    if (status?.code !== undefined) return exitWithCode(status.code);
    const exit = exitWithSignal(status?.signal ?? Signal.kill);
    if (exit.signal !== KILLED || this.#killed) return exit;
    const outOfMemory = this.#setting.control.takeOutOfMemoryKill(this.#killsBefore);
    return { ...exit, outOfMemory };
  }
}
