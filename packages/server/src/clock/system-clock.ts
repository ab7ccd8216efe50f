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
    const dueMs = this.monotonicMs() + delayMs;
    let handle: NodeJS.Timeout;
    const arm = (remainingMs: number): void => {
      handle = setTimeout(fire, Math.min(Math.ceil(remainingMs), MAX_TIMEOUT_MS)).unref();
    };
    // Node.js counts whole milliseconds from the beginning of the loop's turn, so that its timers may
    // be early: a deadline that has not come yet is waited for.
    const fire = (): void => {
      const remainingMs = dueMs - this.monotonicMs();
      if (remainingMs > 0) arm(remainingMs);
      else callback();
    };
    arm(delayMs);
    return { cancel: () => clearTimeout(handle) };
  }
}
