import type { Clock } from '../../clock/clock.ts';
import { within } from '../../clock/within.ts';
import {
  RuntimeGoneError,
  type RuntimeEvent,
  type RuntimeInit,
  type RuntimeResult,
  type RuntimeSession,
} from '../../runtime-api/runtime-session.ts';
import type { GuestExit, GuestProcess } from '../../sandbox/sandbox.ts';
import { GuestOutput, type OutputTarget } from './guest-output.ts';

/** How a call into a runtime ended; the first reason wins. */
export type CallEnd =
  | RuntimeResult
  | { readonly kind: 'exited'; readonly exit: GuestExit }
  | { readonly kind: 'timeout' };

/** How long a runtime that closed its channel may take to exit by itself, so that its status is seen. */
const EXIT_GRACE_MS = 250;
/** How long output may still come in after the process is gone; a descriptor may live on elsewhere. */
const OUTPUT_GRACE_MS = 250;

/** One runtime process with its conversation and its output. Owns both. */
export class Guest {
  readonly #process: GuestProcess;
  readonly #session: RuntimeSession;
  readonly #clock: Clock;
  readonly #output: GuestOutput;
  #answerBegunMs: number | undefined;

  constructor(process: GuestProcess, session: RuntimeSession, clock: Clock) {
    this.#process = process;
    this.#session = session;
    this.#clock = clock;
    this.#output = new GuestOutput(process, clock);
    // Over HTTP nothing else tells the session that its runtime is gone.
    void process.exited.then(() => session[Symbol.dispose]());
    // It may hang up or break the protocol between two events, when nobody waits for it.
    void session.gone.then((error) => this.#awaitExit(error));
  }

  /** Settles when the process and everything it started are gone. */
  get exited(): Promise<GuestExit> {
    return this.#process.exited;
  }

  /** When the first part of the latest answer came, on the clock's monotonic scale; undefined where it came whole. */
  get answerBegunMs(): number | undefined {
    return this.#answerBegunMs;
  }

  /** Settles when it takes no more events; its process may still be there. */
  get gone(): Promise<RuntimeGoneError> {
    return this.#session.gone;
  }

  /** What it prints goes to `target` from now on. */
  direct(target: OutputTarget): void {
    this.#output.direct(target);
  }

  /** Settles when the bootstrap is loaded or can no longer be; the next call tells which. */
  async booted(): Promise<void> {
    await this.#session.booted().catch(() => {});
  }

  /** True where not all that it has printed so far has gone to the target. */
  get outputIsBehind(): boolean {
    return this.#output.isBehind;
  }

  /** Settles when it has, or when that takes too long. */
  async outputCaughtUp(): Promise<void> {
    await within(this.#clock, OUTPUT_GRACE_MS, this.#output.caughtUp());
  }

  /** `ready`, or how init failed. */
  init(init: RuntimeInit, timeoutMs: number): Promise<CallEnd> {
    return this.#end(this.#session.init(init), timeoutMs);
  }

  invoke(event: RuntimeEvent, timeoutMs: number): Promise<CallEnd> {
    this.#answerBegunMs = undefined;
    return this.#end(this.#session.invoke(event, this.#onAnswerBegun), timeoutMs);
  }

  /** `ready` when the runtime waits for the next event, or why it will not. */
  idle(timeoutMs: number): Promise<CallEnd> {
    return this.#end(
      this.#session.idle().then(() => READY),
      timeoutMs,
    );
  }

  /** SIGTERM; the process may end by itself. */
  terminate(): void {
    this.#process.terminate();
  }

  /** Ends the process and everything it started, and reads what it has still printed. */
  async stop(): Promise<void> {
    await this.#process.kill();
    this.#session[Symbol.dispose]();
    await within(this.#clock, OUTPUT_GRACE_MS, this.#output.drained());
  }

  readonly #onAnswerBegun = (): void => {
    this.#answerBegunMs = this.#clock.monotonicMs();
  };

  #end(call: Promise<RuntimeResult>, timeoutMs: number): Promise<CallEnd> {
    return new Promise((resolve, reject) => {
      const timer = this.#clock.startTimer(timeoutMs, () => resolve({ kind: 'timeout' }));
      call.then(
        (result) => {
          timer.cancel();
          resolve(result);
        },
        (error: unknown) => {
          if (!(error instanceof RuntimeGoneError)) {
            timer.cancel();
            reject(error);
            return;
          }
          void this.#awaitExit(error).then((exit) => {
            timer.cancel();
            resolve({ kind: 'exited', exit });
          });
        },
      );
    });
  }

  /** A runtime that breaks the protocol is ended at once; one that hung up is given time to exit. */
  async #awaitExit(gone: RuntimeGoneError): Promise<GuestExit> {
    if (gone.protocolViolation === undefined)
      await within(this.#clock, EXIT_GRACE_MS, this.#process.exited);
    await this.#process.kill();
    return this.#process.exited;
  }
}

const READY: RuntimeResult = { kind: 'ready' };
