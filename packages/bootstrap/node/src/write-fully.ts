import { writeSync } from 'node:fs';

const RETRY_AFTER_MS = 1;

/**
 * Writes all of `bytes` before it returns, waiting where the other end is slow. What cannot be
 * written because nobody reads any more is dropped.
 */
export function writeFully(fd: number, bytes: Uint8Array): void {
  let offset = 0;
  while (offset < bytes.length) {
    try {
      offset += writeSync(fd, bytes, offset);
    } catch (error) {
      if (!isWouldBlock(error)) return;
      pause();
    }
  }
}

/** The descriptor takes nothing at the moment. */
function isWouldBlock(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'EAGAIN';
}

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_AFTER_MS);
}
