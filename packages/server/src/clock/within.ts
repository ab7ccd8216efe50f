import type { Clock } from './clock.ts';

/** Settles with `promise`, or after `limitMs`, whichever is first. A rejection settles it as well. */
export function within(clock: Clock, limitMs: number, promise: Promise<unknown>): Promise<void> {
  return new Promise((resolve) => {
    const timer = clock.startTimer(limitMs, resolve);
    const settle = (): void => {
      timer.cancel();
      resolve();
    };
    promise.then(settle, settle);
  });
}
