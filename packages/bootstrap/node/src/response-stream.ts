import { Writable } from 'node:stream';
import type { Channel } from './channel.ts';
import { RuntimeError } from './errors.ts';
import { FRAME } from './frames.ts';

const DEFAULT_CONTENT_TYPE = 'application/octet-stream';

type WriteCallback = (error: Error | null | undefined) => void;

/** The second argument of a handler that streams its response. */
export class ResponseStream extends Writable {
  /** Hook of `HttpResponseStream.from`; a public field because AWS Lambda's is one. */
  _onBeforeFirstWrite: ((write: (chunk: string | Uint8Array) => void) => void) | undefined;
  readonly #channel: Channel;
  readonly #header: string;
  readonly #requestId: string;
  #contentType = DEFAULT_CONTENT_TYPE;
  #hasWritten = false;
  #hasStarted = false;

  constructor(channel: Channel, requestId: string, highWaterMark: number | undefined) {
    super(highWaterMark === undefined ? {} : { highWaterMark });
    this.#channel = channel;
    this.#requestId = requestId;
    this.#header = JSON.stringify({ requestId });
  }

  /** True once bytes have been sent: from then on an error can only end the stream. */
  get hasStarted(): boolean {
    return this.#hasStarted;
  }

  setContentType(contentType: string): void {
    if (this.#hasWritten) {
      throw new RuntimeError('InvalidStreamingOperation', 'Cannot set content-type, too late.');
    }
    this.#contentType = contentType;
  }

  override write(
    chunk: unknown,
    encoding?: BufferEncoding | WriteCallback,
    callback?: WriteCallback,
  ): boolean {
    if (!this.#hasWritten) {
      this.#hasWritten = true;
      this._onBeforeFirstWrite?.((first) => void super.write(first));
    }
    const isData = typeof chunk === 'string' || chunk instanceof Uint8Array;
    const bytes = isData ? chunk : JSON.stringify(chunk);
    if (typeof encoding === 'string') return super.write(bytes, encoding, callback);
    return super.write(bytes, encoding ?? callback);
  }

  /** Writable's own would hand a chunk on without a look at the prelude and at the chunk's type. */
  override end(
    chunk?: unknown,
    encoding?: BufferEncoding | (() => void),
    callback?: () => void,
  ): this {
    if (isListener(chunk)) return super.end(chunk);
    if (chunk !== undefined && chunk !== null) {
      if (typeof encoding === 'string') this.write(chunk, encoding);
      else this.write(chunk);
    }
    return super.end(typeof encoding === 'function' ? encoding : callback);
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#start();
    this.#channel.send(FRAME.streamChunk, this.#header, chunk, callback);
  }

  override _final(callback: () => void): void {
    this.#start();
    callback();
  }

  /** Says that the response is whole. */
  sendEnd(): void {
    this.#channel.send(FRAME.streamEnd, this.#header);
  }

  #start(): void {
    if (this.#hasStarted) return;
    this.#hasStarted = true;
    const header = { requestId: this.#requestId, contentType: this.#contentType };
    this.#channel.send(FRAME.streamStart, JSON.stringify(header));
  }
}

function isListener(value: unknown): value is () => void {
  return typeof value === 'function';
}
