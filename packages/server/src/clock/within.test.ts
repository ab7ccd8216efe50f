import { describe, expect, test } from 'vitest';
import { ManualClock } from './manual-clock.ts';
import { within } from './within.ts';

describe('within', () => {
  test('settles with the promise, kept or broken, and leaves no timer', async () => {
    const clock = new ManualClock();
    await within(clock, 10, Promise.resolve());
    await within(clock, 10, Promise.reject(new Error('broken')));
    expect(clock.pendingTimers).toBe(0);
  });

  test('settles after its limit where the promise does not', async () => {
    const clock = new ManualClock();
    let settled = false;
    const waiting = within(clock, 10, new Promise(() => {})).then(() => (settled = true));
    clock.advance(9);
    await Promise.resolve();
    expect(settled).toBe(false);
    clock.advance(1);
    await waiting;
  });
});
