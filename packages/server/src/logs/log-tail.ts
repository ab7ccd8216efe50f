import { MAX_LOG_TAIL_BYTES } from '../domain/limits.ts';

/** Keeps the last 4 KB of one invocation's log, as `X-Amz-Log-Result` carries it. */
export class LogTail {
  readonly #lines: Buffer[] = [];
  #bytes = 0;

  append(message: string): void {
    const line = Buffer.from(`${message}\n`);
    this.#lines.push(line);
    this.#bytes += line.length;
    while (this.#bytes - (this.#lines[0]?.length ?? 0) >= MAX_LOG_TAIL_BYTES) {
      this.#bytes -= this.#lines.shift()?.length ?? 0;
    }
  }

  toBuffer(): Buffer {
    return Buffer.concat(this.#lines).subarray(-MAX_LOG_TAIL_BYTES);
  }
}
