import type { Channel } from './channel.ts';
import { toErrorResponse } from './errors.ts';
import { FRAME } from './frames.ts';
import type { LogWriter } from './log-writer.ts';
import { ResponseStream } from './response-stream.ts';

interface ErrorFrame {
  readonly type: number;
  readonly header: Readonly<Record<string, unknown>>;
  readonly payload: string;
}

/**
 * One event on its way through the handler: answers once, whoever answers first. While it runs,
 * waiting for the server does not keep the process alive, so that an empty event loop is seen.
 */
export class EventRun {
  readonly requestId: string;
  readonly #channel: Channel;
  readonly #log: LogWriter;
  readonly #onAnswered: () => void;
  #onEmptyLoop: () => void;
  #stream: ResponseStream | undefined;
  #isDone = false;

  /** `onAnswered` is called when an answer that leaves the process alive has been sent. */
  constructor(channel: Channel, log: LogWriter, requestId: string, onAnswered: () => void) {
    this.#onAnswered = onAnswered;
    this.requestId = requestId;
    this.#channel = channel;
    this.#log = log;
    this.#onEmptyLoop = () => this.respond(null);
    channel.keepAlive(false);
  }

  get isDone(): boolean {
    return this.#isDone;
  }

  /** What happens when the event loop has nothing left to do; the last one told counts. */
  whenLoopIsEmpty(action: () => void): void {
    this.#onEmptyLoop = action;
  }

  loopIsEmpty(): void {
    if (!this.#isDone) this.#onEmptyLoop();
  }

  respond(value: unknown, stringifyErrorName = 'Error'): void {
    if (this.#isDone) return;
    let json: string;
    try {
      json = JSON.stringify(value) ?? 'null';
    } catch {
      const error = new Error('Unable to stringify response body');
      error.name = stringifyErrorName;
      this.fail(error);
      return;
    }
    this.#finish();
    this.#channel.send(FRAME.response, `{"requestId":${JSON.stringify(this.requestId)}}`, json);
    this.#onAnswered();
  }

  fail(error: unknown): void {
    if (this.#isDone) return;
    this.#log.logError('Invoke Error', error);
    this.#finish();
    const { type, header, payload } = this.#errorFrame(error);
    this.#channel.send(type, JSON.stringify(header), payload);
    this.#onAnswered();
  }

  /** Answers with an error that ends the process; `onSent` is called when it may end. */
  failFatally(error: unknown, onSent: () => void): void {
    if (this.#isDone) return;
    this.#isDone = true;
    const { type, header, payload } = this.#errorFrame(error);
    this.#channel.sendLast(type, JSON.stringify({ ...header, fatal: true }), payload, onSent);
  }

  openStream(highWaterMark: number | undefined): ResponseStream {
    this.#stream = new ResponseStream(this.#channel, this.requestId, highWaterMark);
    return this.#stream;
  }

  /** The streamed response is whole and the handler has ended. */
  endStream(stream: ResponseStream): void {
    if (this.#isDone) return;
    this.#finish();
    stream.sendEnd();
    this.#onAnswered();
  }

  /** Once a stream has started, an error can only end it; what it has not sent yet is dropped. */
  #errorFrame(error: unknown): ErrorFrame {
    this.#stream?.destroy();
    const response = toErrorResponse(error);
    return {
      type: this.#stream?.hasStarted === true ? FRAME.streamEnd : FRAME.error,
      header: { requestId: this.requestId, errorType: response.errorType },
      payload: JSON.stringify(response),
    };
  }

  #finish(): void {
    this.#isDone = true;
    this.#channel.keepAlive(true);
  }
}
