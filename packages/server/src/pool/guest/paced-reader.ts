import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { OutputPace } from './output-pace.ts';

/** What is handled in one go: a piece of nothing but line breaks costs the most. */
const PIECE_BYTES = 1_024;

/** Reads a stream of a guest to its end, as fast as a pace lets it. */
export class PacedReader {
  /** Settles when all has been handled. Never rejects. */
  readonly ended: Promise<void>;
  readonly #stream: Readable;
  readonly #pace: OutputPace;
  readonly #handle: (bytes: Buffer) => void;
  readonly #waiting: Buffer[] = [];
  #handledBytes = 0;
  #catchingUp: Promise<void> | undefined;

  constructor(stream: Readable, pace: OutputPace, handle: (bytes: Buffer) => void) {
    this.#stream = stream;
    this.#pace = pace;
    this.#handle = handle;
    stream.on('data', (chunk: Buffer) => this.#take(chunk));
    this.ended = this.#untilEnded();
  }

  /** Settles when what has come in so far is handled; undefined where it is. */
  get caughtUp(): Promise<void> | undefined {
    return this.#catchingUp;
  }

  #take(chunk: Buffer): void {
    this.#pace.received(chunk.length);
    this.#waiting.push(chunk);
    // Node.js lets the streams of a child flow again when the child is gone.
    if (this.#catchingUp !== undefined) this.#stream.pause();
    else if (this.#sliceIsNotEnough()) this.#catchingUp = this.#catchUp();
  }

  async #catchUp(): Promise<void> {
    this.#stream.pause();
    do await this.#pace.turn();
    while (this.#sliceIsNotEnough());
    this.#catchingUp = undefined;
    this.#stream.resume();
  }

  #sliceIsNotEnough(): boolean {
    return this.#pace.slice(() => this.#handlePiece()) || this.#pace.isInDebt;
  }

  /** True where there is more. */
  #handlePiece(): boolean {
    const [chunk] = this.#waiting;
    if (chunk === undefined) return false;
    const end = this.#handledBytes + PIECE_BYTES;
    this.#handle(chunk.subarray(this.#handledBytes, end));
    this.#handledBytes = end;
    if (end >= chunk.length) {
      this.#waiting.shift();
      this.#handledBytes = 0;
    }
    return this.#waiting.length > 0;
  }

  async #untilEnded(): Promise<void> {
    await finished(this.#stream, { writable: false }).catch(() => {});
    while (this.#catchingUp !== undefined) await this.#catchingUp;
  }
}
