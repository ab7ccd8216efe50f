import { writeFileSync } from 'node:fs';
import { KernelFigure, parseStatusPeak } from './kernel-figure.ts';

/**
 * The memory of a sandbox where no control group counts it: the sum of the most that each of the
 * programs that live has held. What they start in turn is left out.
 */
export class ProgramPeaks {
  readonly #living = new Map<number, KernelFigure>();
  #most: number | undefined;

  /** @param pid of a program that lives */
  add(pid: number): void {
    this.#living.set(pid, new KernelFigure(`/proc/${pid}/status`, parseStatusPeak));
  }

  /** Takes a last reading of a program that has ended, if it was added. */
  remove(pid: number): void {
    this.read();
    this.#living.get(pid)?.[Symbol.dispose]();
    this.#living.delete(pid);
  }

  /** Forgets what was held until now. */
  restart(): void {
    this.#most = undefined;
    for (const pid of this.#living.keys()) {
      try {
        writeFileSync(`/proc/${pid}/clear_refs`, RESET_PEAK);
      } catch {
        // It is gone, or the kernel keeps no such account.
      }
    }
  }

  /** In bytes; undefined where nothing could be read. */
  read(): number | undefined {
    const now = [...this.#living.values()].map((figure) => figure.read() ?? 0);
    const sum = now.reduce((total, bytes) => total + bytes, 0);
    if (sum > (this.#most ?? 0)) this.#most = sum;
    return this.#most;
  }
}

const RESET_PEAK = '5';
