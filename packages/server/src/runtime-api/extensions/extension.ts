import { randomUUID } from 'node:crypto';
import type { ExtensionEvent, ExtensionEventType } from './extension-event.ts';
import {
  ExtensionMoveError,
  stateName,
  transition,
  type ExtensionMove,
  type ExtensionState,
} from './extension-state.ts';

/** Somebody who waits for an extension's next event; is given one event at most. */
export type EventWaiter = (event: ExtensionEvent) => void;

/** What the EXTENSION line and `platform.extension` say of an extension. */
export interface ExtensionInfo {
  readonly name: string;
  /** AWS's name of its state: `Ready` where all went well. */
  readonly state: string;
  readonly events: readonly ExtensionEventType[];
  readonly errorType?: string;
}

/** One extension: its state, who waits on its behalf, and the event that it has not fetched yet. */
export class Extension {
  /** Known to this extension alone. */
  readonly identifier: string = randomUUID();
  readonly name: string;
  readonly external: boolean;
  #events: ReadonlySet<ExtensionEventType> = new Set();
  #state: ExtensionState = { kind: 'started' };
  #waiter: EventWaiter | undefined;
  #parked: ExtensionEvent | undefined;

  constructor(name: string, external: boolean) {
    this.name = name;
    this.external = external;
  }

  get state(): ExtensionState {
    return this.#state;
  }

  get info(): ExtensionInfo {
    const state = this.#state;
    return {
      name: this.name,
      state: stateName(state),
      events: [...this.#events],
      ...('errorType' in state && { errorType: state.errorType }),
    };
  }

  subscribes(type: ExtensionEventType): boolean {
    return this.#events.has(type);
  }

  /** Throws an ExtensionMoveError where the state does not allow the move; nothing changes then. */
  move(move: ExtensionMove, subject: string = this.name): void {
    this.#state = transition(this.#state, move, subject);
    if (this.#state.kind !== 'ready') this.#waiter = undefined;
  }

  register(events: Iterable<ExtensionEventType>): void {
    this.move({ kind: 'register' });
    this.#events = new Set(events);
  }

  /**
   * Waits for the next event, and so says that the last one is done. An extension whose connection
   * broke while it waited may wait again; two at a time may not. Throws an ExtensionMoveError.
   */
  next(waiter: EventWaiter): void {
    const undelivered = this.#state.kind === 'running' && this.#parked !== undefined;
    const waitsAgain = this.#state.kind === 'ready' && this.#waiter === undefined;
    if (!undelivered && !waitsAgain) this.move({ kind: 'next' }, this.identifier);
    const event = this.#parked;
    if (event === undefined) {
      this.#waiter = waiter;
      return;
    }
    this.#parked = undefined;
    if (this.#state.kind === 'ready') this.move({ kind: 'take-event' });
    waiter(event);
  }

  /** The waiter's connection is gone: an event that comes now is kept until somebody asks again. */
  leave(waiter: EventWaiter): void {
    if (this.#waiter === waiter) this.#waiter = undefined;
  }

  /** Hands the event out, now or when the extension asks next. A later one replaces it until then. */
  deliver(event: ExtensionEvent): void {
    if (this.#state.kind !== 'ready') {
      this.#parked = event;
      return;
    }
    const waiter = this.#waiter;
    this.move({ kind: 'take-event' });
    if (waiter === undefined) this.#parked = event;
    else waiter(event);
  }
}

/** True where `error` is a refused move; anything else is a fault. */
export function isMoveError(error: unknown): error is ExtensionMoveError {
  return error instanceof ExtensionMoveError;
}
