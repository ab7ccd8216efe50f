const FIRST_CAPACITY_BYTES = 4_096;

/**
 * Joins chunks, up to a bound; what is beyond is dropped. Chunks are copied, as even the smallest of
 * them would keep alive what it was cut from.
 */
export class BoundedBuffer {
  readonly #maxBytes: number;
  #bytes = Buffer.alloc(0);
  #length = 0;
  #overflowed = false;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get length(): number {
    return this.#length;
  }

  /** Something was dropped. */
  get overflowed(): boolean {
    return this.#overflowed;
  }

  append(chunk: Buffer): void {
    const wanted = this.#length + chunk.length;
    if (wanted > this.#maxBytes) this.#overflowed = true;
    const length = Math.min(wanted, this.#maxBytes);
    if (length > this.#bytes.length) this.#grow(length);
    this.#length += chunk.copy(this.#bytes, this.#length, 0, length - this.#length);
  }

  /** What was appended. Shares memory with what is appended later on. */
  toBuffer(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  clear(): void {
    this.#length = 0;
    this.#overflowed = false;
  }

  #grow(length: number): void {
    const capacity = Math.max(length, FIRST_CAPACITY_BYTES, this.#bytes.length * 2);
    const grown = Buffer.allocUnsafeSlow(Math.min(capacity, this.#maxBytes));
    this.#bytes.copy(grown, 0, 0, this.#length);
    this.#bytes = grown;
  }
}
