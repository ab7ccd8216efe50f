import { setImmediate as nextLoopTurn } from 'node:timers/promises';
import type { Clock } from '../../clock/clock.ts';
import { within } from '../../clock/within.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import { MAX_EXTENSIONS } from '../../runtime-api/extensions/extension-registry.ts';
import type { ShutdownReason } from '../../runtime-api/extensions/extension-event.ts';
import type { ExtensionInfo } from '../../runtime-api/extensions/extension.ts';
import type { ExtensionFailure } from '../../runtime-api/extensions/extension-failure.ts';
import { FramedSession } from '../../runtime-api/framed/framed-session.ts';
import type { RuntimeEvent, RuntimeInit } from '../../runtime-api/runtime-session.ts';
import type { GuestCommand, Sandbox } from '../../sandbox/sandbox.ts';
import type { InitPhase } from './environment-state.ts';
import { ExternalExtensions } from '../guest/external-extensions.ts';
import type { ExtensionFile } from '../guest/external-extension-files.ts';
import { Guest, type CallEnd } from '../guest/guest.ts';
import type { GuestApis } from '../guest/guest-apis.ts';
import type { OutputTarget } from '../guest/guest-output.ts';
import { shutDown } from '../guest/shutdown-sequence.ts';
import type { LaunchFailure } from '../launch/runtime-launcher.ts';
import type { StartSlot } from '../workers/start-gate.ts';

/** How long a boot, which is CPU work, may keep its turn. */
const BOOT_TURN_MS = 1_000;

/** How a phase of a life ended; the first reason wins. */
export type LifeEnd =
  | CallEnd
  | { readonly kind: 'extension-failed'; readonly failure: ExtensionFailure }
  | ({ readonly kind: 'launch-failed' } & LaunchFailure);

export interface GuestLifeParts {
  readonly version: FunctionVersion;
  readonly sandbox: Sandbox;
  readonly apis: GuestApis;
  readonly clock: Clock;
  /** Ends a start that is under way. */
  readonly signal: AbortSignal;
  readonly command: GuestCommand;
  /** Why the runtime cannot be started: the function's own error. */
  readonly launchFailure: LaunchFailure | undefined;
  /** What is in /opt/extensions, and how each is started. */
  readonly extensions: readonly ExtensionFile[];
  readonly extensionCommand: (name: string) => GuestCommand;
  readonly functionOutput: OutputTarget;
  readonly extensionOutput: OutputTarget;
  readonly init: RuntimeInit;
  /** A runtime that has booted already. */
  readonly booted?: Guest;
}

/**
 * The processes of an environment from an init to the reset or shutdown that ends them: the runtime
 * and the external extensions, with the API that they talk to.
 */
export class GuestLife {
  readonly #parts: GuestLifeParts;
  readonly #processes: ExternalExtensions;
  #guest: Guest | undefined;
  /** Known for good once init is over: nobody can register later. */
  #hasExtensions = false;
  readonly #lost = Promise.withResolvers<void>();
  #lostBy: LifeEnd | undefined;
  /** Of the one wait that a loss ends. */
  #onLost: ((end: LifeEnd) => void) | undefined;

  constructor(parts: GuestLifeParts) {
    this.#parts = parts;
    this.#processes = new ExternalExtensions(
      parts.sandbox,
      parts.apis.extensions,
      parts.extensionOutput,
      parts.clock,
    );
    void parts.apis.extensions.failure.then((failure) =>
      this.#lose({ kind: 'extension-failed', failure }),
    );
    if (parts.booted !== undefined) this.#adopt(parts.booted);
  }

  /** Settles when a process is lost that the environment cannot go on without. */
  get lost(): Promise<unknown> {
    return this.#lost.promise;
  }

  /** How it was lost; undefined as long as it goes on. */
  get lostBy(): LifeEnd | undefined {
    return this.#lostBy;
  }

  /** What became of each extension so far. */
  get extensions(): readonly ExtensionInfo[] {
    return this.#parts.apis.extensions.list();
  }

  /** When the first part of the latest answer came, where it came in parts. */
  get answerBegunMs(): number | undefined {
    return this.#guest?.answerBegunMs;
  }

  /** True where something is to be waited for after the answer, before the environment is free. */
  get finishesLater(): boolean {
    return this.#hasExtensions || this.#parts.apis.protocol === 'http';
  }

  /**
   * Extension init, runtime init, function init: `ready`, or how it failed. `slot` is given back
   * when the boot no longer costs CPU. Rejects where the platform cannot start a process.
   */
  async init(
    timeoutMs: number,
    onPhase: (phase: InitPhase) => void,
    slot: StartSlot | undefined,
  ): Promise<LifeEnd> {
    const { clock, apis, extensions, launchFailure } = this.#parts;
    const endMs = clock.monotonicMs() + timeoutMs;
    const remainingMs = (): number => Math.max(0, endMs - clock.monotonicMs());
    if (extensions.length > 0) {
      slot?.leave();
      const failed = await this.#initExtensions(remainingMs);
      if (failed !== undefined) return failed;
      await slot?.enter();
    }
    onPhase('runtime');
    if (launchFailure !== undefined) return { kind: 'launch-failed', ...launchFailure };
    const guest = this.#guest ?? (await this.#startRuntime());
    let ended = false;
    const booted = guest.booted();
    // A wrapper, or a library that is loaded first, may keep it from booting: others go on.
    void within(clock, BOOT_TURN_MS, booted).then(() => slot?.leave());
    void booted.then(() => {
      if (!ended) onPhase('function');
    });
    const end = await this.#orFailure(guest.init(this.#parts.init, remainingMs()));
    ended = true;
    apis.extensions.closeRegistration();
    this.#hasExtensions = apis.extensions.hasExternal || apis.extensions.hasInternal;
    if (end.kind !== 'ready' || !this.#hasExtensions) return end;
    return this.#extensionsWithin(apis.extensions.ready(), remainingMs());
  }

  /** Hands the event to the runtime and the extensions; settles with what the runtime answers. */
  invoke(event: RuntimeEvent, timeoutMs: number): Promise<LifeEnd> {
    const call = this.#liveGuest().invoke(event, timeoutMs);
    if (!this.#hasExtensions) return call;
    this.#parts.apis.extensions.invoke(event);
    return this.#orFailure(call);
  }

  /** `ready` when runtime and extensions wait for the next event, or why they will not. */
  async finish(timeoutMs: number): Promise<LifeEnd> {
    const { apis, clock } = this.#parts;
    const startedMs = clock.monotonicMs();
    const idle = this.#liveGuest().idle(timeoutMs);
    if (!this.#hasExtensions) return idle;
    const end = await this.#orFailure(idle);
    if (end.kind !== 'ready') return end;
    const leftMs = Math.max(0, timeoutMs - (clock.monotonicMs() - startedMs));
    return this.#extensionsWithin(apis.extensions.idle(), leftMs);
  }

  /** Lets what the runtime has printed so far arrive; a flood of it is not waited for long. */
  async outputArrived(): Promise<void> {
    // It is in the pipes by now: one turn of the loop reads it.
    await nextLoopTurn();
    if (this.#guest?.outputIsBehind === true) await this.#guest.outputCaughtUp();
  }

  /** Ends all processes, in the order and time that AWS gives them. Afterwards nothing is left. */
  async shutDown(reason: ShutdownReason): Promise<void> {
    const { apis, clock } = this.#parts;
    await shutDown({ reason, guest: this.#guest, processes: this.#processes, apis, clock });
    await this.kill();
  }

  /** Ends all processes at once and reads what they have still printed. */
  async kill(): Promise<void> {
    await Promise.all([this.#guest?.stop(), this.#processes.kill()]);
    this.#parts.apis[Symbol.dispose]();
  }

  async #initExtensions(remainingMs: () => number): Promise<LifeEnd | undefined> {
    const { apis, extensions } = this.#parts;
    apis.extensions.expect(extensions.map(({ name }) => name));
    if (extensions.length <= MAX_EXTENSIONS) {
      await Promise.all(extensions.map((extension) => this.#startExtension(extension)));
    }
    const end = await this.#extensionsWithin(apis.extensions.registered(), remainingMs());
    return end.kind === 'ready' ? undefined : end;
  }

  async #startExtension({ name, refusal }: ExtensionFile): Promise<void> {
    const { apis, extensionCommand, signal } = this.#parts;
    if (refusal === undefined) {
      await this.#processes.start(name, extensionCommand(name), signal);
      return;
    }
    const errorType = refusal === 'permission denied' ? 'PermissionDenied' : 'UnknownError';
    const message = `fork/exec /opt/extensions/${name}: ${refusal}`;
    apis.extensions.launchFailed(name, errorType, message);
  }

  async #startRuntime(): Promise<Guest> {
    const { sandbox, command, signal, apis, clock, functionOutput, init } = this.#parts;
    // Hearth's own bootstraps print them; others are not told.
    if (apis.protocol === 'http')
      for (const warning of init.warnings) functionOutput.write(warning);
    const process = await sandbox.start(command, signal);
    const session =
      apis.protocol === 'framed' && process.channel !== undefined
        ? new FramedSession(process.channel)
        : apis.runtime;
    const guest = new Guest(process, session, clock);
    this.#adopt(guest);
    return guest;
  }

  #adopt(guest: Guest): void {
    guest.direct(this.#parts.functionOutput);
    this.#guest = guest;
    void guest.exited.then((exit) => this.#lose({ kind: 'exited', exit }));
    void guest.gone.then(({ protocolViolation }) => {
      if (protocolViolation !== undefined) this.#lose(KILLED);
    });
  }

  #lose(end: LifeEnd): void {
    this.#lostBy ??= end;
    this.#lost.resolve();
    this.#onLost?.(end);
  }

  #liveGuest(): Guest {
    if (this.#guest === undefined)
      throw new Error('A life that is initialised must have a runtime');
    return this.#guest;
  }

  /** `ready` when the extensions are, or why they will not be. */
  #extensionsWithin(wait: Promise<void>, timeoutMs: number): Promise<LifeEnd> {
    if (this.#lostBy !== undefined) return Promise.resolve(this.#lostBy);
    return new Promise((resolve) => {
      const settle = (end: LifeEnd): void => {
        timer.cancel();
        this.#onLost = undefined;
        resolve(end);
      };
      const timer = this.#parts.clock.startTimer(timeoutMs, () => settle({ kind: 'timeout' }));
      // A second wait takes the place of the first only where that has timed out.
      this.#onLost = settle;
      wait.then(
        () => settle(READY),
        // This life is ended meanwhile, by somebody who does not wait.
        () => settle(KILLED),
      );
    });
  }

  /** The failure of an extension ends a call; that the runtime is gone the call itself tells best. */
  #orFailure(call: Promise<LifeEnd>): Promise<LifeEnd> {
    if (this.#lostBy?.kind === 'extension-failed') return Promise.resolve(this.#lostBy);
    return new Promise((resolve, reject) => {
      const onLost = (end: LifeEnd): void => {
        if (end.kind === 'extension-failed') resolve(end);
      };
      // Who waits for the call may begin another wait before this one is tidied up.
      const tidy = (): void => {
        if (this.#onLost === onLost) this.#onLost = undefined;
      };
      this.#onLost = onLost;
      void call.then(resolve, reject).finally(tidy);
    });
  }
}

const READY: LifeEnd = { kind: 'ready' };
const KILLED: LifeEnd = {
  kind: 'exited',
  exit: { code: undefined, signal: 'killed', outOfMemory: false },
};
