import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import {
  attribute,
  encodeRequests,
  numberAttribute,
  parseAttributes,
  parseReplies,
  textAttribute,
} from './netlink-message.ts';

const bytes = fc.uint8Array({ maxLength: 200 }).map((array) => Buffer.from(array));

test('attributes of any length are read as they were written', () => {
  const entries = fc.uniqueArray(fc.tuple(fc.integer({ min: 1, max: 100 }), bytes), {
    selector: ([type]) => type,
  });
  fc.assert(
    fc.property(entries, (written) => {
      const read = parseAttributes(
        Buffer.concat(written.map(([type, value]) => attribute(type, value))),
      );
      expect([...read]).toEqual(written);
    }),
  );
});

test('numbers are 4 bytes, text ends with NUL, and both are padded', () => {
  expect(numberAttribute(4, 258).toString('hex')).toBe('0800040002010000');
  expect(textAttribute(3, 'lo').toString('hex')).toBe('070003006c6f0000');
});

test('requests are numbered and ask for an acknowledgement', () => {
  const request = { name: 'up', type: 16, flags: 0x400, payload: Buffer.from('abc') };
  const encoded = encodeRequests([request, request], 7);
  expect(encoded).toHaveLength(40);
  expect(encoded.subarray(0, 20).toString('hex')).toBe('1300000010000504070000000000000061626300');
  expect(encoded.readUInt32LE(28)).toBe(8);
});

test('an answer is an item or an end, with the number of an error', () => {
  const refused = Buffer.from('140000000200000009000000000000000' + '0000000'.slice(0, 7), 'hex');
  refused.writeInt32LE(-17, 16);
  expect(parseReplies(refused)).toEqual([{ kind: 'end', sequence: 9, errno: 17 }]);
  const item = encodeRequests([{ name: '', type: 16, flags: 0, payload: Buffer.from('abcd') }], 3);
  expect(parseReplies(Buffer.concat([item, refused]))).toEqual([
    { kind: 'item', sequence: 3, type: 16, payload: Buffer.from('abcd') },
    { kind: 'end', sequence: 9, errno: 17 },
  ]);
});

test('nothing that is received can make the parsers run on', () => {
  fc.assert(
    fc.property(bytes, (received) => {
      expect(parseReplies(received).length).toBeLessThanOrEqual(received.length / 16);
      expect(parseAttributes(received).size).toBeLessThanOrEqual(received.length / 4);
    }),
  );
});
