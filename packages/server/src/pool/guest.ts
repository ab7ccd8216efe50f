import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Clock } from '../clock/clock.ts';
import type { EnvironmentLog } from '../logs/environment-log.ts';
import { LineSplitter } from '../logs/line-splitter.ts';
import { FramedSession } from '../runtime-api/framed/framed-session.ts';
import { LogFrameDecoder } from '../runtime-api/framed/log-frames.ts';
import {
  RuntimeGoneError,
  type RuntimeEvent,
  type RuntimeInit,
  type RuntimeResult,
} from '../runtime-api/runtime-session.ts';
import type { GuestCommand, GuestExit, GuestProcess, Sandbox } from '../sandbox/sandbox.ts';

/** How a call into a runtime ended; the first reason wins. */
export type CallEnd =
  | RuntimeResult
  | { readonly kind: 'exited'; readonly exit: GuestExit }
  | { readonly kind: 'timeout' };

/** How long a runtime that closed its channel may take to exit by itself, so that its status is seen. */
const EXIT_GRACE_MS = 250;
/** How long output may still come in after the process is gone; a descriptor may live on elsewhere. */
const OUTPUT_GRACE_MS = 250;

/** One runtime process with its conversation and its output. */
export class Guest {
  readonly #process: GuestProcess;
  readonly #session: FramedSession;
  readonly #clock: Clock;
  readonly #output: Promise<unknown>;

  private constructor(process: GuestProcess, log: EnvironmentLog, clock: Clock) {
    this.#process = process;
    if (process.channel === undefined || process.log === undefined) {
      throw new Error('A runtime that talks in frames must have been given a channel');
    }
    this.#session = new FramedSession(process.channel);
    this.#clock = clock;
    this.#output = Promise.all([
      readLines(process.stdout, log),
      readLines(process.stderr, log),
      readLogFrames(process.log, log),
    ]);
  }

  /** Starts the process; its output goes to `log` from the first byte. */
  static async start(
    sandbox: Sandbox,
    command: GuestCommand,
    log: EnvironmentLog,
    clock: Clock,
    signal: AbortSignal,
  ): Promise<Guest> {
    return new Guest(await sandbox.start(command, signal), log, clock);
  }

  /** Settles when the process and everything it started are gone. */
  get exited(): Promise<GuestExit> {
    return this.#process.exited;
  }

  /** Settles when the bootstrap is loaded or can no longer be; the next call tells which. */
  async booted(): Promise<void> {
    await this.#session.booted().catch(() => {});
  }

  init(init: RuntimeInit, timeoutMs: number): Promise<CallEnd> {
    return this.#end(this.#session.init(init), timeoutMs);
  }

  invoke(event: RuntimeEvent, timeoutMs: number): Promise<CallEnd> {
    return this.#end(this.#session.invoke(event), timeoutMs);
  }

  /** Ends the process and everything it started, and reads what it has still printed. */
  async stop(): Promise<void> {
    await this.#process.kill();
    this.#session[Symbol.dispose]();
    await this.outputDrained();
  }

  /** Settles when the output has ended; only useful once the process is gone. */
  async outputDrained(): Promise<void> {
    await this.#within(OUTPUT_GRACE_MS, this.#output);
  }

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
      await this.#within(EXIT_GRACE_MS, this.#process.exited);
    await this.#process.kill();
    return this.#process.exited;
  }

  #within(limitMs: number, promise: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#clock.startTimer(limitMs, resolve);
      void promise.then(() => {
        timer.cancel();
        resolve();
      });
    });
  }
}

async function readLines(stream: Readable, log: EnvironmentLog): Promise<void> {
  const splitter = new LineSplitter((line) => log.write(line));
  stream.on('data', (chunk: Buffer) => splitter.write(chunk));
  await finished(stream, { writable: false }).catch(() => {});
  splitter.end();
}

async function readLogFrames(stream: Readable, log: EnvironmentLog): Promise<void> {
  const decoder = new LogFrameDecoder((event) => log.write(event.message));
  stream.on('data', (chunk: Buffer) => decoder.write(chunk));
  await finished(stream, { writable: false }).catch(() => {});
  decoder.end();
}
