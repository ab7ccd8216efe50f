import { array, assert, constantFrom, integer, property, string, uint8Array } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { cutBefore, MAX_EVENT_BYTES, splitMessage } from './event-bound.ts';
import { LineSplitter } from './line-splitter.ts';

function split(chunks: readonly Uint8Array[], maxLineBytes?: number): string[] {
  const lines: string[] = [];
  const splitter = new LineSplitter((line) => lines.push(line), maxLineBytes);
  for (const chunk of chunks) splitter.write(Buffer.from(chunk));
  splitter.end();
  return lines;
}

/** All bytes at once, without any state. */
function naiveSplit(bytes: Buffer, maxLineBytes: number): string[] {
  const lines: string[] = [];
  let rest = bytes;
  while (rest.length > 0) {
    const newline = rest.indexOf(0x0a);
    let line = newline === -1 ? rest : rest.subarray(0, newline);
    rest = newline === -1 ? Buffer.alloc(0) : rest.subarray(newline + 1);
    while (line.length > maxLineBytes) {
      const cut = cutBefore(line, maxLineBytes);
      lines.push(line.subarray(0, cut).toString());
      line = line.subarray(cut);
    }
    lines.push(line.toString());
  }
  return lines;
}

describe('LineSplitter', () => {
  test('splits at newlines and keeps carriage returns', () => {
    expect(split([Buffer.from('a\r\nb\rc\n\nd')])).toEqual(['a\r', 'b\rc', '', 'd']);
  });

  test('a newline at the end makes no empty last line', () => {
    expect(split([Buffer.from('a\n')])).toEqual(['a']);
    expect(split([])).toEqual([]);
  });

  test('a character that is cut by chunks stays whole', () => {
    const bytes = Buffer.from('grüße 日本 🎉\n');
    expect(split(Array.from(bytes, (byte) => Uint8Array.of(byte)))).toEqual(['grüße 日本 🎉']);
  });

  test('a line of exactly the limit is one line', () => {
    const line = 'x'.repeat(MAX_EVENT_BYTES);
    expect(split([Buffer.from(line), Buffer.from('\nb')])).toEqual([line, 'b']);
  });

  test('a line of one byte more is two', () => {
    const lines = split([Buffer.from('x'.repeat(MAX_EVENT_BYTES + 1) + '\n')]);
    expect(lines.map((line) => line.length)).toEqual([MAX_EVENT_BYTES, 1]);
  });

  test('a long line is cut between characters', () => {
    expect(split([Buffer.from('ab日本\n')], 4)).toEqual(['ab', '日', '本']);
  });

  test('any bytes in any chunks give what a splitter without state gives', () => {
    const bytes = array(
      constantFrom(0x0a, 0x0d, 0x61, 0xc3, 0xa4, 0xe6, 0x97, 0xa5, 0xf0, 0x9f, 0x8e, 0x89, 0xff),
      { maxLength: 60 },
    );
    assert(
      property(
        bytes,
        array(integer({ min: 1, max: 9 })),
        integer({ min: 4, max: 12 }),
        (all, sizes, max) => {
          const whole = Buffer.from(all);
          const chunks: Buffer[] = [];
          let at = 0;
          for (const size of sizes) {
            chunks.push(whole.subarray(at, at + size));
            at += size;
          }
          chunks.push(whole.subarray(at));
          expect(split(chunks, max)).toEqual(naiveSplit(whole, max));
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test('the lines of valid text, put together, are the text', () => {
    assert(
      property(string({ unit: 'binary' }), integer({ min: 4, max: 10 }), (text, max) => {
        const line = text.replaceAll('\n', '');
        const bytes = Buffer.from(line);
        expect(split([bytes], max).join('')).toBe(bytes.toString());
      }),
    );
  });

  test('no line is over the limit', () => {
    assert(
      property(array(uint8Array({ maxLength: 30 })), (chunks) => {
        const lines: Buffer[] = [];
        const splitter = new LineSplitter((line) => lines.push(Buffer.from(line, 'utf8')), 8);
        for (const chunk of chunks) splitter.write(Buffer.from(chunk));
        splitter.end();
        // A byte that is no UTF-8 becomes the three bytes of U+FFFD.
        expect(lines.every((line) => line.length <= 8 * 3)).toBe(true);
        expect(splitter.heldBytes).toBe(0);
      }),
    );
  });

  test('1 GB without a newline is held in one limit of memory', () => {
    let lines = 0;
    let bytes = 0;
    const splitter = new LineSplitter((line) => {
      lines += 1;
      bytes += line.length;
    });
    const chunk = Buffer.alloc(65_537, 'x');
    const chunks = Math.ceil(2 ** 30 / chunk.length);
    let mostHeldBytes = 0;
    for (let index = 0; index < chunks; index += 1) {
      splitter.write(chunk);
      mostHeldBytes = Math.max(mostHeldBytes, splitter.heldBytes);
    }
    splitter.end();
    expect(mostHeldBytes).toBeLessThanOrEqual(MAX_EVENT_BYTES);
    expect(bytes).toBe(chunks * chunk.length);
    expect(lines).toBe(Math.ceil(bytes / MAX_EVENT_BYTES));
  });

  test('bytes that arrive one by one keep no chunk alive', () => {
    const splitter = new LineSplitter(() => undefined);
    for (let index = 0; index < 10_000; index += 1) {
      splitter.write(Buffer.alloc(65_536, 'x').subarray(0, 1));
    }
    expect(splitter.heldBytes).toBeLessThanOrEqual(16_384);
  });
});

describe('splitMessage', () => {
  test('a message within the limit stays one, newlines and all', () => {
    expect(splitMessage('a\nb')).toEqual(['a\nb']);
    expect(splitMessage('')).toEqual(['']);
    expect(splitMessage('x'.repeat(MAX_EVENT_BYTES))).toHaveLength(1);
  });

  test('a longer one is cut between characters', () => {
    expect(splitMessage('日本語', 7)).toEqual(['日本', '語']);
  });
});
