import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { EndReason } from './environment/environment-state.ts';
import type { EnvironmentOwner, PooledEnvironment } from './environment/pooled-environment.ts';
import { GenerationPool } from './generation-pool.ts';

const KEEP_ALIVE_MS = 1_000;
const MAX_LIFETIME_MS = 10_000;
// The pool hands the version through to whoever creates environments and never looks at it.
const VERSION = {} as FunctionVersion;

class FakeEnvironment implements PooledEnvironment {
  readonly version = VERSION;
  readonly createdMs: number;
  idleSinceMs = 0;
  endReason: EndReason | undefined;
  readonly owner: EnvironmentOwner<FakeEnvironment>;

  constructor(owner: EnvironmentOwner<FakeEnvironment>, createdMs: number) {
    this.createdMs = createdMs;
    this.owner = owner;
  }

  end(reason: EndReason): Promise<void> {
    if (this.endReason === undefined) {
      this.endReason = reason;
      this.owner.onEnded(this);
    }
    return Promise.resolve();
  }
}

function setUp() {
  const clock = new ManualClock();
  let emptied = 0;
  const pool = new GenerationPool<FakeEnvironment>(
    clock,
    { keepAliveMs: KEEP_ALIVE_MS, maxLifetimeMs: MAX_LIFETIME_MS },
    (owner) => new FakeEnvironment(owner, clock.monotonicMs()),
    () => {
      emptied += 1;
    },
  );
  return { clock, pool, emptied: () => emptied };
}

describe('generation pool', () => {
  test('the environment freed last is taken first', () => {
    const { pool } = setUp();
    const first = pool.take(VERSION);
    const second = pool.take(VERSION);
    expect(second).not.toBe(first);
    pool.onFree(first);
    pool.onFree(second);
    expect(pool.take(VERSION)).toBe(second);
    expect(pool.take(VERSION)).toBe(first);
  });

  test('an environment that is idle for the keep-alive time is ended, a busy one is not', () => {
    const { clock, pool, emptied } = setUp();
    const idle = pool.take(VERSION);
    const busy = pool.take(VERSION);
    pool.onFree(idle);
    clock.advance(KEEP_ALIVE_MS);
    expect(idle.endReason).toBe('keep-alive');
    expect(busy.endReason).toBeUndefined();
    pool.onFree(busy);
    clock.advance(KEEP_ALIVE_MS);
    expect(busy.endReason).toBe('keep-alive');
    expect(emptied()).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test('retiring ends free environments at once and busy ones when they are freed', () => {
    const { pool, emptied } = setUp();
    const idle = pool.take(VERSION);
    const busy = pool.take(VERSION);
    pool.onFree(idle);
    pool.retire('updated');
    expect(idle.endReason).toBe('updated');
    expect(busy.endReason).toBeUndefined();
    pool.onFree(busy);
    expect(busy.endReason).toBe('updated');
    expect(emptied()).toBe(1);
  });

  test('an environment that has reached its maximum lifetime takes no more events', () => {
    const { clock, pool } = setUp();
    const idle = pool.take(VERSION);
    const busy = pool.take(VERSION);
    for (let ms = 0; ms < MAX_LIFETIME_MS; ms += KEEP_ALIVE_MS / 2) {
      pool.onFree(idle);
      clock.advance(KEEP_ALIVE_MS / 2);
      if (ms + KEEP_ALIVE_MS / 2 < MAX_LIFETIME_MS) expect(pool.take(VERSION)).toBe(idle);
    }
    expect(pool.take(VERSION)).not.toBe(idle);
    expect(idle.endReason).toBe('maximum-lifetime');
    expect(busy.endReason).toBeUndefined();
    pool.onFree(busy);
    expect(busy.endReason).toBe('maximum-lifetime');
  });

  test('an environment that ends by itself is not handed out again', () => {
    const { pool } = setUp();
    const lost = pool.take(VERSION);
    pool.take(VERSION);
    pool.onFree(lost);
    void lost.end('fault');
    expect(pool.take(VERSION)).not.toBe(lost);
  });

  describe('an event that finds none free', () => {
    test('waits for one that has answered, and is the one to get it', async () => {
      const { pool } = setUp();
      const answered = pool.take(VERSION);
      expect(pool.soonFree()).toBeUndefined();
      pool.onAnswered(answered);
      const soon = pool.soonFree();
      expect(soon).toBeDefined();
      pool.onFree(answered);
      await soon;
      expect(pool.take(VERSION)).toBe(answered);
      expect(pool.soonFree()).toBeUndefined();
    });

    test('does not where each that has answered is waited for, or one is free', () => {
      const { pool } = setUp();
      const [answered, other] = [pool.take(VERSION), pool.take(VERSION)];
      pool.onAnswered(answered);
      expect(pool.soonFree()).toBeDefined();
      expect(pool.soonFree()).toBeUndefined();
      pool.onAnswered(other);
      pool.onFree(answered);
      expect(pool.soonFree()).toBeUndefined();
    });

    test('waits 50 ms at most', async () => {
      const { pool, clock } = setUp();
      const answered = pool.take(VERSION);
      pool.onAnswered(answered);
      const soon = pool.soonFree();
      clock.advance(50);
      await soon;
      expect(pool.take(VERSION)).not.toBe(answered);
      expect(clock.pendingTimers).toBe(0);
    });

    test('no longer waits when the generation is retired or the environment is lost', async () => {
      const { pool, clock } = setUp();
      const [first, second] = [pool.take(VERSION), pool.take(VERSION)];
      pool.onAnswered(first);
      const soon = pool.soonFree();
      pool.retire('updated');
      await soon;
      pool.onAnswered(second);
      pool.onEnded(second);
      pool.onEnded(first);
      expect(pool.soonFree()).toBeUndefined();
      expect(clock.pendingTimers).toBe(0);
    });
  });

  test('whatever the order, no environment serves two takers and none outlives its idle time', () => {
    const step = fc.oneof(
      fc.constant({ kind: 'take' as const }),
      fc.nat(10).map((index) => ({ kind: 'free' as const, index })),
      fc.nat(1_500).map((byMs) => ({ kind: 'advance' as const, byMs })),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
        const { clock, pool } = setUp();
        const taken: FakeEnvironment[] = [];
        const idle = new Set<FakeEnvironment>();
        for (const current of steps) {
          if (current.kind === 'take') {
            const environment = pool.take(VERSION);
            expect(taken).not.toContain(environment);
            expect(environment.endReason).toBeUndefined();
            idle.delete(environment);
            taken.push(environment);
          } else if (current.kind === 'free') {
            const [environment] = taken.splice(current.index % Math.max(1, taken.length), 1);
            if (environment === undefined) continue;
            pool.onFree(environment);
            idle.add(environment);
          } else {
            clock.advance(current.byMs);
            for (const environment of idle) {
              const idleMs = clock.monotonicMs() - environment.idleSinceMs;
              expect(environment.endReason !== undefined).toBe(idleMs >= KEEP_ALIVE_MS);
              if (environment.endReason !== undefined) idle.delete(environment);
            }
          }
        }
      }),
    );
  });
});
