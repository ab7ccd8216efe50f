import { randomUUID } from 'node:crypto';
import {
  RuntimeGoneError,
  type RuntimeEvent,
  type RuntimeInit,
  type RuntimeResult,
  type RuntimeSession,
} from '../runtime-session.ts';
import {
  refusedMoveText,
  stateAfter,
  type RuntimeMove,
  type RuntimeState,
} from './runtime-state.ts';

/** A runtime's call for the next event, which waits. */
export interface EventPoll {
  /** Sends the event. Called once at most. `invocationId` is unique to this delivery. */
  deliver(event: RuntimeEvent, invocationId: string): void;
}

/** Why a call of a runtime's is refused; nothing has changed. */
export interface CallRefusal {
  readonly status: 400 | 403;
  readonly errorType: 'InvalidStateTransition' | 'InvalidRequestID' | 'InvalidInvocationId';
  readonly errorMessage: string;
}

interface PendingCall {
  readonly resolve: (result: RuntimeResult) => void;
  readonly reject: (error: RuntimeGoneError) => void;
}

/**
 * The conversation with a runtime that calls the Runtime API over HTTP. Knows nothing of HTTP: the
 * routes tell it what the runtime calls.
 *
 * The runtime is hostile. A call that does not fit is refused and changes nothing, so that an answer
 * can only ever end the one event that it was sent for, once; the session goes on. Connections may
 * come and go: that the process is gone is told by the sandbox, and its owner then disposes this.
 */
export class HttpRuntimeSession implements RuntimeSession {
  #state: RuntimeState = 'Started';
  #gone: RuntimeGoneError | undefined;
  readonly #goneSoon = Promise.withResolvers<RuntimeGoneError>();
  #initialised = false;
  #initError: RuntimeResult | undefined;
  #pending: PendingCall | undefined;
  /** From `invoke` until its answer is whole. */
  #event: RuntimeEvent | undefined;
  #onAnswerBegun: (() => void) | undefined;
  /** Of the latest delivery. */
  #invocationId = '';
  readonly #polls = new Set<EventPoll>();
  #idle: PromiseWithResolvers<void> | undefined;

  get gone(): Promise<RuntimeGoneError> {
    return this.#goneSoon.promise;
  }

  /**
   * Settles at once: the function's code is loaded before the runtime makes its first call, so that
   * there is nothing to wait for which would not belong to init.
   */
  booted(): Promise<void> {
    return this.#gone === undefined ? Promise.resolve() : Promise.reject(this.#gone);
  }

  /** Settles with `ready` at the first call for an event, with `error` at the report of an init error. */
  init(_init: RuntimeInit): Promise<RuntimeResult> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#initialised) return Promise.reject(new Error('Cannot init a runtime twice'));
    this.#initialised = true;
    if (this.#initError !== undefined) return Promise.resolve(this.#initError);
    if (this.#state !== 'Started' && this.#state !== 'InitError') {
      return Promise.resolve({ kind: 'ready' });
    }
    return this.#call();
  }

  invoke(event: RuntimeEvent, onAnswerBegun?: () => void): Promise<RuntimeResult> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    const free = this.#state === 'Ready' || this.#state === 'RuntimeResponseSentState';
    if (!this.#initialised || this.#pending !== undefined || !free) {
      return Promise.reject(new Error(`Cannot invoke a runtime that is in state ${this.#state}`));
    }
    this.#event = event;
    this.#onAnswerBegun = onAnswerBegun;
    const result = this.#call();
    this.#advance();
    return result;
  }

  idle(): Promise<void> {
    if (this.#gone !== undefined) return Promise.reject(this.#gone);
    if (this.#isIdle()) return Promise.resolve();
    if (this.#idle === undefined) {
      this.#idle = Promise.withResolvers<void>();
      // Nobody may be waiting any more when the runtime goes; that is no fault of the server's.
      this.#idle.promise.catch(() => {});
    }
    return this.#idle.promise;
  }

  [Symbol.dispose](): void {
    if (this.#gone !== undefined) return;
    this.#gone = new RuntimeGoneError('The session was disposed');
    this.#goneSoon.resolve(this.#gone);
    this.#polls.clear();
    this.#event = undefined;
    this.#pending?.reject(this.#gone);
    this.#pending = undefined;
    this.#idle?.reject(this.#gone);
  }

  /**
   * The runtime waits for an event. Where it does so on several connections at once each gets events
   * of its own, in the order in which they asked.
   */
  addPoll(poll: EventPoll): CallRefusal | undefined {
    const refusal = this.#move('next');
    if (refusal !== undefined) return refusal;
    this.#polls.add(poll);
    this.#settleInit({ kind: 'ready' });
    this.#advance();
    return undefined;
  }

  /** The runtime no longer waits. */
  removePoll(poll: EventPoll): void {
    this.#polls.delete(poll);
  }

  /** The delivery did not get through: the next poll gets the event, under a new invocation id. */
  undelivered(invocationId: string): void {
    if (this.#invocationId !== invocationId || this.#move('undelivered') !== undefined) return;
    this.#advance();
  }

  /**
   * The runtime begins to answer. Until `endAnswer` every other answer is refused. `invocationId` is
   * what it echoes, which it need not.
   */
  beginAnswer(
    kind: 'response' | 'error',
    requestId: string,
    invocationId: string | undefined,
  ): CallRefusal | undefined {
    if (!this.#isDelivered() || this.#event?.requestId !== requestId) return INVALID_REQUEST_ID;
    if (invocationId !== undefined && invocationId !== this.#invocationId) {
      return INVALID_INVOCATION_ID;
    }
    const refusal = this.#move(kind);
    if (refusal === undefined) this.#onAnswerBegun?.();
    return refusal;
  }

  /** The answer that was begun is whole, or has failed to become so. */
  endAnswer(result: RuntimeResult): void {
    if (this.#move('sent') !== undefined) return;
    this.#event = undefined;
    this.#settle(result);
    if (this.#polls.size > 0 && this.#move('next') === undefined) this.#advance();
  }

  /** The runtime begins to report that init has failed. It can do nothing else after that. */
  beginInitError(): CallRefusal | undefined {
    return this.#move('init-error');
  }

  endInitError(result: RuntimeResult): void {
    this.#initError = result;
    this.#settleInit(result);
  }

  #call(): Promise<RuntimeResult> {
    return new Promise((resolve, reject) => {
      this.#pending = { resolve, reject };
    });
  }

  #move(move: RuntimeMove): CallRefusal | undefined {
    const state = this.#gone === undefined ? stateAfter(this.#state, move) : undefined;
    if (state !== undefined) {
      this.#state = state;
      return undefined;
    }
    const told = move === 'deliver' || move === 'undelivered' || move === 'sent' ? 'next' : move;
    return {
      status: 403,
      errorType: 'InvalidStateTransition',
      errorMessage: refusedMoveText(this.#state, told),
    };
  }

  #isDelivered(): boolean {
    return (
      this.#state === 'Running' ||
      this.#state === 'InvocationResponse' ||
      this.#state === 'InvocationErrorResponse'
    );
  }

  #isIdle(): boolean {
    return this.#state === 'Ready' && this.#polls.size > 0 && this.#event === undefined;
  }

  /** Brings event and poll together where both are there. */
  #advance(): void {
    if (this.#isIdle()) {
      this.#idle?.resolve();
      this.#idle = undefined;
    }
    const [poll] = this.#polls;
    if (this.#state !== 'Ready' || this.#event === undefined || poll === undefined) return;
    this.#polls.delete(poll);
    this.#move('deliver');
    this.#invocationId = randomUUID();
    poll.deliver(this.#event, this.#invocationId);
  }

  #settleInit(result: RuntimeResult): void {
    // A call that is pending while no event is there is the one to init.
    if (this.#event === undefined) this.#settle(result);
  }

  #settle(result: RuntimeResult): void {
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve(result);
  }
}

const INVALID_REQUEST_ID: CallRefusal = {
  status: 400,
  errorType: 'InvalidRequestID',
  errorMessage: 'Invalid request ID',
};

/** The message is unverified. */
const INVALID_INVOCATION_ID: CallRefusal = {
  status: 400,
  errorType: 'InvalidInvocationId',
  errorMessage: 'Invalid invocation ID',
};
