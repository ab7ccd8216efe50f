import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import { TraceHeaders } from './trace-header.ts';

describe('TraceHeaders', () => {
  test('new ones carry the time and differ', () => {
    const clock = new ManualClock(Date.UTC(2026, 0, 1));
    const headers = new TraceHeaders(clock);
    const first = headers.next(undefined, 'PassThrough');
    expect(first).toMatch(/^Root=1-6955b900-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/);
    expect(headers.next(undefined, 'PassThrough')).not.toBe(first);
  });

  test('an Active function samples the first call of each second and about 5 % of the others', () => {
    const clock = new ManualClock();
    const headers = new TraceHeaders(clock);
    const isSampled = (): boolean => headers.next(undefined, 'Active').endsWith('Sampled=1');
    expect(isSampled()).toBe(true);
    const sampled = Array.from({ length: 10_000 }, isSampled).filter(Boolean).length;
    expect(sampled).toBeGreaterThan(300);
    expect(sampled).toBeLessThan(750);
    clock.advance(1_000);
    expect(isSampled()).toBe(true);
  });

  test("a caller's header is kept unless it is oversized", () => {
    const headers = new TraceHeaders(new ManualClock());
    expect(headers.next('Root=1-a-b', 'Active')).toBe('Root=1-a-b');
    expect(headers.next('x'.repeat(1_025), 'Active')).toMatch(/^Root=1-/);
  });
});
