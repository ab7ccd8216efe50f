import { describe, expect, test } from 'vitest';
import { startPool, testVersion, type PoolUnderTest } from '../pool-fixture.ts';

/** Lets the refill that is due run until `count` workers are ready. */
async function ready(under: PoolUnderTest, count: number, stepMs = 20): Promise<void> {
  await expect
    .poll(
      () => {
        under.clock.advance(stepMs);
        return under.workers.ready();
      },
      { interval: 1 },
    )
    .toBe(count);
}

/** The pool hears of a kind when its first function is started. */
async function stocked(prewarm: number): Promise<PoolUnderTest> {
  const under = startPool(() => ({}), { prewarm });
  await under.invoke();
  await under.logged('REPORT');
  await ready(under, prewarm);
  return under;
}

describe('worker pool', () => {
  test('a function is taken in by a worker that has booted, and the worker is replaced', async () => {
    await using under = await stocked(2);
    expect(under.guests).toHaveLength(3);
    const other = testVersion({ functionName: 'other', generation: 'other' });
    expect((await under.invoke(other)).kind).toBe('success');
    expect(under.workers.ready()).toBe(1);
    expect(under.guests).toHaveLength(3);
    expect(under.guests.at(-1)?.sandbox.assignment).toMatchObject({ task: '/code', memoryMb: 128 });
    await ready(under, 2);
  });

  test('a worker is not told apart from a process of its own by its first event', async () => {
    await using under = await stocked(1);
    const other = testVersion({ functionName: 'other', generation: 'other' });
    const lines = under.log.length;
    await under.invoke(other);
    await under.logged('REPORT RequestId: request-2');
    expect(under.log.slice(lines).map((line) => line.split(/[\t ]/)[0])).toEqual([
      'INIT_START',
      'START',
      'END',
      'REPORT',
    ]);
    expect(under.log.at(-1)).toContain('\tInit Duration: ');
  });

  test('what must be set before a process starts has a process of its own', async () => {
    await using under = await stocked(1);
    const environment = { NODE_OPTIONS: '--max-http-header-size=1000' };
    await under.invoke(testVersion({ generation: 'second', environment }));
    expect(under.workers.ready()).toBe(1);
    expect(under.guests.at(-1)?.command.environment).toMatchObject(environment);
  });

  test('a worker that ends by itself is not handed out', async () => {
    await using under = await stocked(1);
    under.guests.at(-1)?.exit(1);
    await expect.poll(() => under.workers.ready()).toBe(0);
    await expect.poll(() => under.disposed.length).toBe(1);
    await ready(under, 1);
  });

  test('as many are kept as the largest burst of the last minute took', async () => {
    await using under = await stocked(1);
    const bursts = [1, 2, 3, 4].map((index) =>
      under.invoke(testVersion({ functionName: `fn${index}`, generation: `g${index}` })),
    );
    await Promise.all(bursts);
    await ready(under, 4);
    under.clock.advance(61_000);
    await ready(under, 1);
    expect(under.disposed.length).toBeGreaterThanOrEqual(3);
  });

  test('workers hold no more memory than they may', async () => {
    await using under = startPool(() => ({}), { prewarm: 50, prewarmMemoryMb: 100 });
    await under.invoke();
    await under.logged('REPORT');
    await ready(under, 2);
    under.clock.advance(1_000);
    await new Promise(setImmediate);
    expect(under.workers.ready()).toBe(2);
  });

  test('nobody is kept for a kind that was not asked for in a long time', async () => {
    await using under = await stocked(2);
    under.clock.advance(600_000);
    await ready(under, 0, 1_000);
    await expect.poll(() => under.disposed.length).toBeGreaterThanOrEqual(2);
  });

  test('an interpreter that does not start is tried again later, and told', async () => {
    let broken = true;
    await using under = startPool(
      (start) => {
        if (start > 1 && broken) throw new Error('cannot start');
        return {};
      },
      { prewarm: 1 },
    );
    await under.invoke();
    await expect
      .poll(() => {
        under.clock.advance(20);
        return under.faults;
      })
      .toEqual([expect.stringMatching(/^Cannot start a worker ahead: .*cannot start/)]);
    broken = false;
    await ready(under, 1, 1_000);
    expect(under.clock.monotonicMs()).toBeGreaterThan(10_000);
  });

  test('closing ends those that wait', async () => {
    const under = await stocked(2);
    await under[Symbol.asyncDispose]();
    expect(under.disposed.toSorted()).toEqual(under.made.toSorted());
    expect(under.clock.pendingTimers).toBe(0);
  });
});
