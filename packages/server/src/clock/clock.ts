/** Cancels what it stands for. Cancelling twice, or after it fired, does nothing. */
export interface Timer {
  cancel(): void;
}

/**
 * The only source of time of the server: timestamps, deadlines, keep-alive and retries all go
 * through it, so that tests can advance it. Function processes keep real time.
 */
export interface Clock {
  /** Wall-clock time in milliseconds since the epoch. May jump when the system clock is set. */
  nowMs(): number;
  /** Milliseconds since an arbitrary start, with fractions. Never goes back. */
  monotonicMs(): number;
  /**
   * Calls `callback` once, `delayMs` from now on the monotonic scale. A pending timer does not by
   * itself keep the server running.
   */
  startTimer(delayMs: number, callback: () => void): Timer;
}
