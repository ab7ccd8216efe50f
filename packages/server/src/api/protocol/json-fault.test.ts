import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { jsonFault } from './json-fault.ts';

function isValid(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const faultOf = (text: string): string | undefined => jsonFault(Buffer.from(text));

describe('jsonFault', () => {
  test('finds no fault in what JSON.stringify writes', () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.constantFrom(undefined, 2, '\t'), (value, space) => {
        expect(faultOf(JSON.stringify(value, undefined, space))).toBeUndefined();
      }),
    );
  });

  test('agrees with JSON.parse on texts made of JSON-like pieces', () => {
    const structure = ['{', '}', '[', ']', ',', ':', ' ', '\n', '"a"', '"', '\\', '\\u00e9', '\\x'];
    const scalars = ['0', '01', '-', '-1', '1.5', '1.', 'e', '1e5', '1E+2', 'true', 'fals', 'null'];
    const others = ['\u0001', 'é', 'x', '\u00a0', '\ufeff'];
    const piece = fc.constantFrom(...structure, ...scalars, ...others);
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 8 }), (pieces) => {
        const text = pieces.join('');
        expect([text, faultOf(text) === undefined]).toEqual([text, isValid(text)]);
      }),
      { numRuns: 20_000 },
    );
  });

  test('agrees with JSON.parse on valid texts with one byte changed', () => {
    const code = fc.integer({ min: 0x20, max: 0x7e });
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(), code, (value, place, letter) => {
        const bytes = Buffer.from(JSON.stringify(value));
        bytes[place % bytes.length] = letter;
        fc.pre(bytes.equals(Buffer.from(bytes.toString())));
        const text = bytes.toString();
        expect([text, jsonFault(bytes) === undefined]).toEqual([text, isValid(text)]);
      }),
      { numRuns: 5_000 },
    );
  });

  test('takes any depth', () => {
    const depth = 100_000;
    expect(faultOf('['.repeat(depth) + ']'.repeat(depth))).toBeUndefined();
    expect(faultOf('{"a":'.repeat(depth) + '1' + '}'.repeat(depth))).toBeUndefined();
    expect(faultOf('['.repeat(depth))).toBe(`Unexpected end-of-input at byte ${depth}`);
  });

  test.each([
    ['', 'Unexpected end-of-input at byte 0'],
    ['not json', "Unexpected character ('o' (code 111)) at byte 1"],
    ['xyz', "Unexpected character ('x' (code 120)) at byte 0"],
    ['{"a":1,}', "Unexpected character ('}' (code 125)) at byte 7"],
    ['{} x', "Unexpected character ('x' (code 120)) at byte 3"],
    ['"a\u0001"', 'Unexpected character (not printable (code 1)) at byte 2'],
  ])('%j: %s', (text, fault) => {
    expect(faultOf(text)).toBe(fault);
  });

  test('refuses bytes that are no UTF-8', () => {
    expect(jsonFault(Buffer.from([0x22, 0xa7, 0x22]))).toBe('Invalid UTF-8');
  });
});
