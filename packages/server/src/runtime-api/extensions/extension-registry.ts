import type { Clock, Timer } from '../../clock/clock.ts';
import { Extension, isMoveError, type EventWaiter, type ExtensionInfo } from './extension.ts';
import { ExtensionApiError } from './extension-api-error.ts';
import {
  checkedEvents,
  invokeEvent,
  shutdownEvent,
  type ExtensionInvoke,
  type ShutdownReason,
} from './extension-event.ts';
import {
  exitMessage,
  failureOf,
  launchErrorOf,
  type ExtensionExit,
  type ExtensionFailure,
  type LaunchErrorType,
} from './extension-failure.ts';
import { RegistryWaits } from './registry-waits.ts';

/** External and internal ones together. */
export const MAX_EXTENSIONS = 10;

/**
 * How long an extension that has reported an error may take to exit before the failure counts, so
 * that its last lines of log arrive. AWS waits for the exit, within the limit of the phase.
 */
export const EXIT_AFTER_ERROR_MS = 500;

/**
 * The extensions of one execution environment, from the start of its processes to their end: what
 * they may ask for at which time (AWS's Extensions API), and what the pool has to wait for. After a
 * reset of the environment there is a new one.
 *
 * The order of a life: `expect`, start the processes, `registered`, start the runtime,
 * `closeRegistration` when it asks for its first event, `ready`; then `invoke` and `idle` for each
 * event; at the end `shutdown`.
 *
 * What waits for extensions never settles where one of them fails: it is to be raced with `failure`
 * and with the time limit of the phase. After dispose it rejects.
 *
 * Everything that an extension sends is untrusted; its random identifier is all it is known by.
 */
export class ExtensionRegistry implements Disposable {
  readonly #clock: Clock;
  readonly #extensions = new Map<string, Extension>();
  readonly #byIdentifier = new Map<string, Extension>();
  readonly #waits = new RegistryWaits();
  #registrationOpen = true;
  #shuttingDown = false;
  #exitTimer: Timer | undefined;
  /** Settles when registration is closed and every extension waits for its first event. */
  readonly initialised: Promise<void> = this.#waits.until(
    () => !this.#registrationOpen && this.#everyIsReady(),
  );

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Settles with the first failure of an extension; never, where none fails. */
  get failure(): Promise<ExtensionFailure> {
    return this.#waits.failure;
  }

  /** There is an extension to be told of events and to be waited for. */
  get isInUse(): boolean {
    return this.#extensions.size > 0;
  }

  get hasExternal(): boolean {
    return [...this.#extensions.values()].some(({ external }) => external);
  }

  get hasInternal(): boolean {
    return [...this.#extensions.values()].some(({ external }) => !external);
  }

  /**
   * Names the external extensions that the pool is about to start: file names of `/opt/extensions`.
   * Where there are more than MAX_EXTENSIONS, that is a failure.
   */
  expect(names: readonly string[]): void {
    for (const name of names) this.#add(name, true);
    const tooMany = names[MAX_EXTENSIONS];
    if (tooMany === undefined) return;
    this.launchFailed(tooMany, 'TooManyExtensions', `Extension limit (${MAX_EXTENSIONS}) reached`);
  }

  /** Settles when every expected extension has registered. */
  registered(): Promise<void> {
    return this.#waits.until(() =>
      this.#every(({ external, state }) => !external || state.kind !== 'started'),
    );
  }

  /** Nobody can register from here on: the runtime has asked for its first event. */
  closeRegistration(): void {
    this.#registrationOpen = false;
    this.#waits.settle();
  }

  /** Settles when every extension waits for its first event. */
  ready(): Promise<void> {
    return this.#waits.until(() => this.#everyIsReady());
  }

  /** Tells those who subscribed to INVOKE. Throws where one of them is not idle. */
  invoke(invoke: ExtensionInvoke): void {
    const event = invokeEvent(invoke);
    const subscribers = [...this.#extensions.values()].filter((one) => one.subscribes('INVOKE'));
    const busy = subscribers.find(({ state }) => state.kind === 'running');
    if (busy !== undefined) {
      throw new Error(`Cannot invoke as extension ${busy.name} must be idle: it is running`);
    }
    for (const extension of subscribers) {
      if (extension.state.kind === 'ready') extension.deliver(event);
    }
  }

  /** Settles when nobody works on an event any more. */
  idle(): Promise<void> {
    return this.#waits.until(() =>
      this.#every(({ state }) => state.kind !== 'running' && state.kind !== 'exit-error'),
    );
  }

  /**
   * Tells the external extensions that subscribed to SHUTDOWN, each when it asks next. Gives their
   * names: these have until `deadlineMs` (since the epoch) to exit, the others can be killed at once.
   * From here on no end of a process is a failure.
   */
  shutdown(reason: ShutdownReason, deadlineMs: number): string[] {
    this.#shuttingDown = true;
    this.#registrationOpen = false;
    this.#exitTimer?.cancel();
    const told: string[] = [];
    for (const extension of this.#extensions.values()) {
      if (!extension.external || !extension.subscribes('SHUTDOWN')) continue;
      extension.deliver(shutdownEvent(reason, deadlineMs));
      told.push(extension.name);
    }
    return told;
  }

  /**
   * The process of an external extension is gone. A failure, unless a shutdown is under way: it could
   * not be executed where the statuses 126 and 127 say so before it registered, else it crashed.
   */
  processEnded(name: string, exit: ExtensionExit): void {
    const extension = this.#extensions.get(name);
    if (extension === undefined || !extension.external) return;
    const launchError = launchErrorOf(name, exit);
    if (extension.state.kind === 'started' && launchError !== undefined) {
      this.launchFailed(name, launchError.errorType, launchError.message);
      return;
    }
    const expected = this.#shuttingDown;
    try {
      extension.move({ kind: 'process-ended', expected, success: exit.code === 0 });
    } catch (error) {
      if (!isMoveError(error)) throw error;
      return;
    }
    this.#fail(extension, exitMessage(exit));
  }

  /** The process of an external extension could not be started; `message` is for the invoker. */
  launchFailed(name: string, errorType: LaunchErrorType, message: string): void {
    const extension = this.#extensions.get(name);
    if (extension?.state.kind !== 'started') return;
    extension.move({ kind: 'launch-failed', errorType });
    this.#fail(extension, message);
  }

  /** What there is, external ones first, for the EXTENSION lines and `platform.extension`. */
  list(): ExtensionInfo[] {
    return [...this.#extensions.values()].map(({ info }) => info);
  }

  /** Registers and gives the identifier. Throws an ExtensionApiError. */
  register(name: string, events: readonly string[]): string {
    const known = this.#extensions.get(name);
    const external = known?.external === true;
    const subscribed = checkedEvents(events, external);
    if (!this.#registrationOpen && !(external && known.state.kind !== 'started')) {
      throw new ExtensionApiError(
        'Extension.RegistrationClosed',
        'Extension registration closed already',
      );
    }
    if (!external) this.#checkRoomFor(known);
    const extension = external ? known : this.#add(name, false);
    withApiErrors(() => extension.register(subscribed));
    this.#waits.settle();
    return extension.identifier;
  }

  /**
   * Waits for an event on behalf of an extension. Gives what is to be called when the connection is
   * gone before the event came. Throws an ExtensionApiError.
   */
  next(identifier: string, waiter: EventWaiter): () => void {
    const extension = this.#identified(identifier, `Unknown extension ${identifier}`);
    withApiErrors(() => extension.next(waiter));
    this.#waits.settle();
    return () => extension.leave(waiter);
  }

  /**
   * An extension says that it cannot initialise, or that it is about to exit: a failure as soon as it
   * has exited, at once for an internal one. Throws an ExtensionApiError.
   */
  reportError(kind: 'init-error' | 'exit-error', identifier: string, errorType: string): void {
    const extension = this.#identified(identifier, 'Unknown Lambda-Extension-Identifier');
    const before = extension.state;
    withApiErrors(() => extension.move({ kind: `report-${kind}`, errorType }, identifier));
    if (extension.state === before || this.#shuttingDown) return;
    const fail = (): void => this.#fail(extension, `extension reported ${errorType}`);
    if (!extension.external) fail();
    else this.#exitTimer ??= this.#clock.startTimer(EXIT_AFTER_ERROR_MS, fail);
  }

  /** Name of the extension that holds an identifier; undefined where nobody does. */
  nameOf(identifier: string): string | undefined {
    return this.#byIdentifier.get(identifier)?.name;
  }

  /** Nobody is known any more, and nobody can register. Waits that are pending reject. */
  [Symbol.dispose](): void {
    this.#registrationOpen = false;
    this.#shuttingDown = true;
    this.#exitTimer?.cancel();
    this.#waits.abandon();
    this.#extensions.clear();
    this.#byIdentifier.clear();
  }

  #add(name: string, external: boolean): Extension {
    const extension = new Extension(name, external);
    this.#extensions.set(name, extension);
    this.#byIdentifier.set(extension.identifier, extension);
    return extension;
  }

  #checkRoomFor(known: Extension | undefined): void {
    if (known !== undefined) {
      throw new ExtensionApiError(
        'Extension.InvalidExtensionState',
        'Extension with this name already registered',
      );
    }
    if (this.#extensions.size >= MAX_EXTENSIONS) {
      throw new ExtensionApiError(
        'Extension.TooManyExtensions',
        `Extension limit (${MAX_EXTENSIONS}) reached`,
      );
    }
  }

  #identified(identifier: string, otherwise: string): Extension {
    const extension = this.#byIdentifier.get(identifier);
    if (extension !== undefined) return extension;
    throw new ExtensionApiError('Extension.UnknownExtensionIdentifier', otherwise);
  }

  #fail({ name, state }: Extension, message: string): void {
    if (this.#shuttingDown) return;
    this.#exitTimer?.cancel();
    this.#waits.fail(failureOf(name, state, message));
  }

  #everyIsReady(): boolean {
    return this.#every(({ state }) => state.kind === 'ready' || state.kind === 'running');
  }

  #every(holds: (extension: Extension) => boolean): boolean {
    for (const extension of this.#extensions.values()) if (!holds(extension)) return false;
    return true;
  }
}

function withApiErrors(move: () => void): void {
  try {
    move();
  } catch (error) {
    if (!isMoveError(error)) throw error;
    throw new ExtensionApiError('Extension.InvalidExtensionState', error.message);
  }
}
