import type { Clock, Timer } from './clock.ts';

/** setTimeout stores the delay as a signed 32-bit number; a longer one would fire at once. */
const MAX_TIMEOUT_MS = 2 ** 31 - 1;

/** The machine's own clock. */
export class SystemClock implements Clock {
  nowMs(): number {
    return Date.now();
  }

  monotonicMs(): number {
    return performance.now();
  }

  startTimer(delayMs: number, callback: () => void): Timer {
    let handle = this.#arm(delayMs, callback, (next) => {
      handle = next;
    });
    return { cancel: () => clearTimeout(handle) };
  }

  #arm(
    delayMs: number,
    callback: () => void,
    replace: (next: NodeJS.Timeout) => void,
  ): NodeJS.Timeout {
    // Fractions would be cut off, and the timer fire before it is due.
    if (delayMs <= MAX_TIMEOUT_MS) return setTimeout(callback, Math.ceil(delayMs)).unref();
    const remainingMs = delayMs - MAX_TIMEOUT_MS;
    return setTimeout(
      () => replace(this.#arm(remainingMs, callback, replace)),
      MAX_TIMEOUT_MS,
    ).unref();
  }
}
