import { randomBytes } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { createMountRoot } from '../mount-folder.ts';
import { addressClaims, AddressRange, freeRanges, parseAddress } from './address-range.ts';
import type { Route } from './link-requests.ts';
import { networkObstacle } from './network-fixture.ts';

const SIZE = 2 ** 14;

function route(text: string): Route {
  const [address = '', length] = text.split('/');
  const prefixLength = Number(length);
  return { destination: parseAddress(address), prefixLength, linkIndex: 2, table: 254 };
}

test('a default route takes no range, and the first range is 10.208.0.0/18', () => {
  expect(freeRanges([route('0.0.0.0/0')])[0]).toBe(parseAddress('10.208.0.0'));
});

test('where all of 10.0.0.0/8 is taken, as by many companies, another network is used', () => {
  expect(freeRanges([route('10.0.0.0/8')])[0]).toBe(parseAddress('172.24.0.0'));
});

test('no range is left where everything is taken', () => {
  expect(freeRanges([route('0.0.0.0/1'), route('128.0.0.0/1')])).toEqual([]);
});

test('a free range has no address in common with any route', () => {
  const routes = fc.array(
    fc.tuple(fc.integer({ min: 0, max: 2 ** 32 - 1 }), fc.integer({ min: 1, max: 32 })),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(routes, (drawn) => {
      const all = drawn.map(([address, prefixLength]): Route => {
        const size = 2 ** (32 - prefixLength);
        const destination = Math.floor(address / size) * size;
        return { destination, prefixLength, linkIndex: 2, table: 254 };
      });
      for (const first of freeRanges(all)) {
        for (const { destination, prefixLength } of all) {
          const isApart =
            first + SIZE <= destination || first >= destination + 2 ** (32 - prefixLength);
          expect(isApart).toBe(true);
        }
      }
    }),
  );
});

describe('an address range', () => {
  const obstacle = networkObstacle();

  test('is of one instance at a time, and is free again afterwards', ({ skip }) => {
    skip(obstacle !== undefined, obstacle);
    createMountRoot();
    const [one, other] = [instanceId(), instanceId()];
    {
      using first = AddressRange.claim(one, []);
      using second = AddressRange.claim(other, []);
      expect(second.text).not.toBe(first.text);
      expect(addressClaims(one)).toHaveLength(1);
    }
    expect([...addressClaims(one), ...addressClaims(other)]).toEqual([]);
  });

  test('gives an address out again only after all others', ({ skip }) => {
    skip(obstacle !== undefined, obstacle);
    createMountRoot();
    using range = AddressRange.claim(instanceId(), []);
    const first = range.acquire();
    const kept = range.acquire();
    range.release(first);
    const seen = new Set([kept]);
    let next = range.acquire();
    while (next !== first) {
      expect(seen.has(next)).toBe(false);
      seen.add(next);
      range.release(next);
      next = range.acquire();
    }
    expect(seen.size).toBe(SIZE - 18);
    for (const address of [range.host, range.gateway]) expect(seen.has(address)).toBe(false);
  });

  test('says so when all addresses are in use', ({ skip }) => {
    skip(obstacle !== undefined, obstacle);
    createMountRoot();
    using range = AddressRange.claim(instanceId(), []);
    for (let count = 0; count < SIZE - 17; count += 1) range.acquire();
    expect(() => range.acquire()).toThrow(`all of ${range.text} are in use`);
  });
});

function instanceId(): string {
  return randomBytes(6).toString('hex');
}
