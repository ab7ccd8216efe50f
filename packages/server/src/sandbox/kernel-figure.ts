import { closeSync, openSync, readSync, writeSync } from 'node:fs';

/**
 * A figure that the kernel shows in a file. Its descriptor stays open, so that a reading costs one
 * system call and cannot fail for want of descriptors.
 */
export class KernelFigure implements Disposable {
  readonly #parse: (text: string) => number | undefined;
  readonly #buffer = Buffer.alloc(4_096);
  #descriptor: number | undefined;
  #last: number | undefined;

  /** `parse` finds the figure in the content. A file that cannot be opened has no readings. */
  constructor(path: string, parse: (text: string) => number | undefined) {
    this.#parse = parse;
    this.#descriptor = openFigure(path);
  }

  /** Has the kernel count anew, by writing `order`; a figure that cannot be set back goes on. */
  restart(order: string): void {
    if (this.#descriptor === undefined) return;
    try {
      writeSync(this.#descriptor, order, 0);
      this.#last = undefined;
    } catch {
      // An older kernel, which only lets it be read.
    }
  }

  /** The figure now, or the last one that could be read. */
  read(): number | undefined {
    if (this.#descriptor === undefined) return this.#last;
    try {
      const length = readSync(this.#descriptor, this.#buffer, 0, this.#buffer.length, 0);
      this.#last = this.#parse(this.#buffer.toString('latin1', 0, length)) ?? this.#last;
    } catch {
      // The process is gone, and with it the content.
    }
    return this.#last;
  }

  /** Takes a last reading and closes the descriptor. */
  [Symbol.dispose](): void {
    this.read();
    if (this.#descriptor !== undefined) closeSync(this.#descriptor);
    this.#descriptor = undefined;
  }
}

function openFigure(path: string): number | undefined {
  for (const flags of ['r+', 'r']) {
    try {
      return openSync(path, flags);
    } catch {
      // The next best; without any there are no readings.
    }
  }
  return undefined;
}

/** The peak in `/proc/<pid>/status`, in bytes: its kilobytes have 1,024, although it says kB. */
export function parseStatusPeak(status: string): number | undefined {
  const kilobytes = /^VmHWM:\s+(\d+) kB$/m.exec(status)?.[1];
  return kilobytes === undefined ? undefined : Number(kilobytes) * 1_024;
}
