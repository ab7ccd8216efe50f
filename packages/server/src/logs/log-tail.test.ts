import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogTail } from './log-tail.ts';

describe('log tail', () => {
  test('it is the last 4,096 bytes of all lines', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ maxLength: 3_000, unit: 'binary' }), { maxLength: 20 }),
        (lines) => {
          const tail = new LogTail();
          for (const line of lines) tail.append(line);
          const whole = Buffer.from(lines.map((line) => `${line}\n`).join(''));
          expect(tail.toBuffer().equals(whole.subarray(-4_096))).toBe(true);
        },
      ),
    );
  });
});
