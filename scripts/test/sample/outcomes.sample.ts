// Failures and skips are what these are for.
// oxlint-disable vitest/no-disabled-tests, vitest/expect-expect
import { beforeAll, describe, expect, test } from 'vitest';

test('passes', () => {
  expect(1).toBe(1);
});

test('fails', () => {
  expect(1).toBe(2);
});

test('skips with a note', (context) => {
  context.skip('no such kernel');
});

describe.skip('a driver (needs root)', () => {
  test('one of its tests', () => {});
  test('another of its tests', () => {});
});

test.skip('skips and does not say why', () => {});

describe('a suite whose set-up fails', () => {
  beforeAll(() => {
    throw new Error('no set-up');
  });
  test('is not run', () => {});
});
