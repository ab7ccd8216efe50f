import { expect, test } from 'vitest';
import { SystemClock } from './system-clock.ts';

test('a timer is never early, also where it was started late in a turn of the loop', async () => {
  const clock = new SystemClock();
  for (let round = 0; round < 50; round += 1) {
    await new Promise(setImmediate);
    const busyUntilMs = clock.monotonicMs() + 1.7;
    while (clock.monotonicMs() < busyUntilMs);
    const startedMs = clock.monotonicMs();
    const firedMs = await new Promise<number>((resolve) => {
      clock.startTimer(2.5, () => resolve(clock.monotonicMs()));
    });
    expect(firedMs - startedMs).toBeGreaterThanOrEqual(2.5);
  }
});

test('a timer that was cancelled does not fire', async () => {
  const clock = new SystemClock();
  let fired = false;
  const timer = clock.startTimer(1, () => {
    fired = true;
  });
  timer.cancel();
  timer.cancel();
  await new Promise<void>((resolve) => {
    clock.startTimer(5, resolve);
  });
  expect(fired).toBe(false);
});
