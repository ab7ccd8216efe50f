import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { uidBlocks } from './uid-range.ts';

describe('blocks of user ids', () => {
  test('are at the top where all ids are there', () => {
    const { first, blocks } = uidBlocks('         0          0 4294967295\n');
    expect(first).toBe(0x7000_0000);
    expect(first + blocks * 4_096).toBeLessThanOrEqual(0x7fff_ffff);
  });

  test('are above system users in a container with 65,536 ids, and leave out nobody', () => {
    const { first, blocks } = uidBlocks('0 100000 65536\n');
    expect(first).toBe(32_768);
    expect(blocks).toBe(7);
  });

  test('there are none where only one user is mapped', () => {
    expect(uidBlocks('0 1000 1\n').blocks).toBe(0);
  });

  test('lie within what is mapped', () => {
    fc.assert(
      fc.property(fc.nat(2 ** 31), fc.nat(2 ** 31), (start, count) => {
        const { first, blocks } = uidBlocks(`${start} 0 ${count}`);
        if (blocks === 0) return;
        expect(first).toBeGreaterThanOrEqual(start);
        expect(first + blocks * 4_096).toBeLessThanOrEqual(start + count);
      }),
    );
  });
});
