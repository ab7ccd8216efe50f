import { cutBefore, MAX_EVENT_BYTES } from './event-bound.ts';

const NEWLINE = 0x0a;
const FIRST_BUFFER_BYTES = 1_024;
const KEPT_BUFFER_BYTES = 8_192;

/**
 * Turns the bytes of stdout or stderr into lines, as Lambda does: at each `\n`, which is dropped; a
 * `\r` stays. A line over the limit becomes several, cut between characters. Holds one line of at most
 * the limit, however the bytes arrive. Bytes that are no UTF-8 become U+FFFD.
 */
export class LineSplitter {
  readonly #onLine: (line: string) => void;
  readonly #maxLineBytes: number;
  /** The beginning of a line whose end has not come; its first `#pendingBytes` bytes. */
  #pending: Buffer = Buffer.alloc(0);
  #pendingBytes = 0;

  /** `maxLineBytes` is at least 4, the longest character. */
  constructor(onLine: (line: string) => void, maxLineBytes: number = MAX_EVENT_BYTES) {
    this.#onLine = onLine;
    this.#maxLineBytes = maxLineBytes;
  }

  /** Bytes of memory that are held for a line that is not complete. */
  get heldBytes(): number {
    return this.#pending.length;
  }

  /** Takes the next bytes and gives every line that they complete; keeps no reference to `chunk`. */
  write(chunk: Buffer): void {
    let at = 0;
    for (;;) {
      const newline = chunk.indexOf(NEWLINE, at);
      if (newline === -1) break;
      this.#endLine(chunk.subarray(at, newline));
      at = newline + 1;
    }
    if (at < chunk.length) this.#hold(chunk.subarray(at));
  }

  /** Gives what is left as the last line, if there is anything. More may be written afterwards. */
  end(): void {
    if (this.#pendingBytes > 0) this.#endLine(Buffer.alloc(0));
    this.#pending = Buffer.alloc(0);
  }

  #endLine(rest: Buffer): void {
    if (this.#pendingBytes === 0) {
      this.#onLine(this.#withoutFullPieces(rest).toString());
      return;
    }
    this.#hold(rest);
    const line = this.#pending.toString('utf8', 0, this.#pendingBytes);
    this.#pendingBytes = 0;
    // One long line must not cost its memory for as long as the environment lives.
    if (this.#pending.length > KEPT_BUFFER_BYTES) this.#pending = Buffer.alloc(0);
    this.#onLine(line);
  }

  #hold(bytes: Buffer): void {
    let rest = bytes;
    while (this.#pendingBytes > 0 && this.#pendingBytes + rest.length > this.#maxLineBytes) {
      const taken = this.#maxLineBytes - this.#pendingBytes;
      this.#append(rest.subarray(0, taken));
      rest = rest.subarray(taken);
      this.#givePiece();
    }
    if (this.#pendingBytes === 0) rest = this.#withoutFullPieces(rest);
    this.#append(rest);
  }

  /** Gives the full pending line up to the last whole character. */
  #givePiece(): void {
    const cut = cutBefore(this.#pending, this.#maxLineBytes);
    const line = this.#pending.toString('utf8', 0, cut);
    this.#pending.copyWithin(0, cut, this.#pendingBytes);
    this.#pendingBytes -= cut;
    this.#onLine(line);
  }

  /** Gives pieces straight from a chunk, without copying, while it holds more than one. */
  #withoutFullPieces(bytes: Buffer): Buffer {
    let rest = bytes;
    while (rest.length > this.#maxLineBytes) {
      const cut = cutBefore(rest, this.#maxLineBytes);
      this.#onLine(rest.toString('utf8', 0, cut));
      rest = rest.subarray(cut);
    }
    return rest;
  }

  /** Copies: a chunk is often a small part of a large slab that must not be kept alive. */
  #append(bytes: Buffer): void {
    const neededBytes = this.#pendingBytes + bytes.length;
    if (neededBytes > this.#pending.length) {
      const grownBytes = Math.max(neededBytes, this.#pending.length * 2, FIRST_BUFFER_BYTES);
      const grown = Buffer.allocUnsafeSlow(Math.min(grownBytes, this.#maxLineBytes));
      this.#pending.copy(grown, 0, 0, this.#pendingBytes);
      this.#pending = grown;
    }
    bytes.copy(this.#pending, this.#pendingBytes);
    this.#pendingBytes = neededBytes;
  }
}
