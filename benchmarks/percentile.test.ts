import { array, assert, double, property } from 'fast-check';
import { expect, test } from 'vitest';

import { percentile } from './percentile.ts';

test('the median of an odd number of samples is the middle one', () => {
  expect(percentile([30, 10, 20], 0.5)).toBe(20);
});

test('p99 of a hundred samples leaves exactly one above it', () => {
  const samples = Array.from({ length: 100 }, (_, i) => i + 1);
  expect(percentile(samples, 0.99)).toBe(99);
});

test('without samples there is no number', () => {
  expect(percentile([], 0.5)).toBeNaN();
});

test('it is a sample, and at least the share of the samples does not exceed it', () => {
  const samples = array(double({ noNaN: true }), { minLength: 1 });
  assert(
    property(samples, double({ min: 0, max: 1, noNaN: true }), (values, share) => {
      const value = percentile(values, share);
      const notAbove = values.filter((other) => other <= value).length;
      expect(values).toContain(value);
      expect(notAbove / values.length).toBeGreaterThanOrEqual(share);
    }),
  );
});
