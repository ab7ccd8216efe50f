import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../clock/manual-clock.ts';
import { IdleFreezer } from './idle-freezer.ts';

const GRACE_MS = 5;

class Subject {
  uses = 0;
  readonly frozenAt: number[] = [];
  readonly #clock: ManualClock;

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  freeze(): void {
    this.frozenAt.push(this.#clock.monotonicMs());
  }
}

describe('idle freezer', () => {
  test('what is idle for the grace time is frozen, once', () => {
    const clock = new ManualClock();
    const freezer = new IdleFreezer(clock, GRACE_MS);
    const subject = new Subject(clock);
    freezer.becameIdle(subject);
    clock.advance(GRACE_MS - 1);
    expect(subject.frozenAt).toEqual([]);
    clock.advance(1);
    clock.advance(100);
    expect(subject.frozenAt).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  test('what is used within the grace time is not', () => {
    const clock = new ManualClock();
    const freezer = new IdleFreezer(clock, GRACE_MS);
    const subject = new Subject(clock);
    freezer.becameIdle(subject);
    clock.advance(GRACE_MS - 1);
    subject.uses += 1;
    clock.advance(100);
    expect(subject.frozenAt).toEqual([]);
  });

  test('whatever the order, each is frozen exactly at the end of an undisturbed grace time', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(2), fc.constantFrom('use', 'idle'), fc.nat(7)), {
          maxLength: 60,
        }),
        (steps) => {
          const clock = new ManualClock();
          const freezer = new IdleFreezer(clock, GRACE_MS);
          const subjects = [0, 1, 2].map(() => new Subject(clock));
          const due: (number | undefined)[] = [undefined, undefined, undefined];
          const expected: number[][] = [[], [], []];
          const pass = (ms: number): void => {
            for (let step = 0; step < ms; step += 1) {
              clock.advance(1);
              for (const [index, at] of due.entries()) {
                if (at !== clock.monotonicMs()) continue;
                expected[index]?.push(at);
                due[index] = undefined;
              }
            }
          };
          for (const [index, step, ms] of steps) {
            const subject = subjects[index];
            if (subject === undefined) continue;
            if (step === 'use') {
              subject.uses += 1;
              due[index] = undefined;
            } else if (due[index] === undefined) {
              freezer.becameIdle(subject);
              due[index] = clock.monotonicMs() + GRACE_MS;
            }
            pass(ms);
          }
          pass(GRACE_MS);
          expect(subjects.map(({ frozenAt }) => frozenAt)).toEqual(expected);
          expect(clock.pendingTimers).toBe(0);
        },
      ),
    );
  });
});
