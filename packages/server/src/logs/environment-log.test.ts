import { describe, expect, test } from 'vitest';
import { logStreamNameFor } from './environment-log.ts';

const NOW_MS = Date.UTC(2026, 10, 24, 23, 59);

describe('log stream name', () => {
  test('in the default group it holds day, version and a random part', () => {
    expect(logStreamNameFor(NOW_MS, 'fn', '$LATEST', '/aws/lambda/fn', 'abc')).toBe(
      '2026/11/24/[$LATEST]abc',
    );
  });

  test('in a custom group it holds the function as well', () => {
    expect(logStreamNameFor(NOW_MS, 'fn', '7', 'shared', 'abc')).toBe('2026/11/24/fn[7][abc]');
  });
});
