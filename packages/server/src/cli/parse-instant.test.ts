import { describe, expect, test } from 'vitest';
import { UsageError } from './command.ts';
import { parseInstant } from './parse-instant.ts';

const NOW_MS = Date.UTC(2026, 0, 2);

describe('parseInstant', () => {
  test.each([
    ['90s', NOW_MS - 90_000],
    ['10m', NOW_MS - 600_000],
    ['2h', NOW_MS - 7_200_000],
    ['1d', NOW_MS - 86_400_000],
    ['999999d', 0],
    ['2026-01-01T00:00:00Z', Date.UTC(2026, 0, 1)],
    ['2026-01-01', Date.UTC(2026, 0, 1)],
  ])('%s', (text, instantMs) => {
    expect(parseInstant(text, NOW_MS)).toBe(instantMs);
  });

  test.each(['', '10', 'm', '-5m', 'yesterday', '2026-13-01', '1e3s', '1950-01-01'])(
    'refuses %j',
    (text) => {
      expect(() => parseInstant(text, NOW_MS)).toThrow(UsageError);
    },
  );
});
