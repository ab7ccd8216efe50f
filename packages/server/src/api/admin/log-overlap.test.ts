import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { StoredLogEvent } from '../../logs/log-store.ts';
import { withoutOverlap } from './log-overlap.ts';

function event(message: string, logStreamName = 's'): StoredLogEvent {
  return { timestampMs: 1, logStreamName, message };
}

function messages(events: readonly StoredLogEvent[]): string {
  return events.map(({ message }) => message).join('');
}

function remaining(stored: string, live: string): string {
  return messages(
    withoutOverlap(
      stored.split('').map((message) => event(message)),
      live.split('').map((message) => event(message)),
    ),
  );
}

describe('withoutOverlap', () => {
  test.each([
    ['abc', 'cd', 'd'],
    ['abc', 'de', 'de'],
    ['abc', 'abc', ''],
    ['', 'ab', 'ab'],
    ['abab', 'abac', 'ac'],
    ['xab', 'abab', 'ab'],
    ['aabaa', 'aab', 'b'],
  ])('of %j then %j is left %j', (stored, live, left) => {
    expect(remaining(stored, live)).toBe(left);
  });

  test('streams are looked at one by one', () => {
    const stored = [event('1', 'a'), event('1', 'b'), event('2', 'a')];
    const live = [event('1', 'b'), event('2', 'a'), event('3', 'a'), event('2', 'b')];
    expect(withoutOverlap(stored, live)).toEqual([event('3', 'a'), event('2', 'b')]);
  });

  test('skips the longest beginning of live that ends stored', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 12 });
    fc.assert(
      fc.property(text, text, (stored, live) => {
        const lengths = Array.from({ length: live.length + 1 }, (_, length) => length);
        const longest = lengths.findLast((length) => stored.endsWith(live.slice(0, length))) ?? 0;
        expect(remaining(stored, live)).toBe(live.slice(longest));
      }),
    );
  });
});
