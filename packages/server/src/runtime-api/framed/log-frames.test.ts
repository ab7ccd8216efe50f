import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LogFrameDecoder, type RuntimeLogEvent } from './log-frames.ts';

function frame(type: number, microseconds: bigint, message: string | Buffer): Buffer {
  const bytes = Buffer.from(message);
  const header = Buffer.alloc(16);
  header.writeUInt32BE(type, 0);
  header.writeInt32BE(bytes.length, 4);
  header.writeBigInt64BE(microseconds, 8);
  return Buffer.concat([header, bytes]);
}

function decode(chunks: readonly Buffer[]): RuntimeLogEvent[] {
  const events: RuntimeLogEvent[] = [];
  const decoder = new LogFrameDecoder((event) => events.push(event));
  for (const chunk of chunks) decoder.write(chunk);
  decoder.end();
  return events;
}

function messages(...chunks: Buffer[]): string[] {
  return decode(chunks).map((event) => event.message);
}

function bytesOf(...chunks: Buffer[]): Buffer[] {
  return Array.from(Buffer.concat(chunks), (byte) => Buffer.of(byte));
}

const TEXT = 0xa55a0003;
const JSON_TYPE = 0xa55a0002;

describe('LogFrameDecoder', () => {
  test.each([
    [0, undefined],
    [4, 'TRACE'],
    [8, 'DEBUG'],
    [12, 'INFO'],
    [16, 'WARN'],
    [20, 'ERROR'],
    [24, 'FATAL'],
  ] as const)('level bits %i are %s', (bits, level) => {
    expect(decode([frame((TEXT | bits) >>> 0, 1_767_225_600_123_456n, 'm')])).toEqual([
      { level, format: 'text', timestampMs: 1_767_225_600_123, message: 'm' },
    ]);
    expect(decode([frame((JSON_TYPE | bits) >>> 0, 1000n, '{}')])).toEqual([
      { level, format: 'json', timestampMs: 1, message: '{}' },
    ]);
  });

  test('a message with line breaks is one event, without the one that ends it', () => {
    expect(messages(frame(TEXT, 1n, 'one\ntwo\n\n'), frame(TEXT, 1n, ''))).toEqual([
      'one\ntwo\n',
      '',
    ]);
  });

  test('any events are read back, however the bytes are chunked', () => {
    const texts = fc.array(
      fc.string({ unit: 'grapheme', maxLength: 40 }).map((text) => `${text}.`),
    );
    fc.assert(
      fc.property(texts, fc.integer({ min: 1, max: 50 }), (sent, chunkBytes) => {
        const bytes = Buffer.concat(sent.map((text) => frame(TEXT, 5000n, text)));
        const chunks: Buffer[] = [];
        for (let at = 0; at < bytes.length; at += chunkBytes) {
          chunks.push(bytes.subarray(at, at + chunkBytes));
        }
        expect(messages(...chunks)).toEqual(sent);
      }),
    );
  });

  test('any bytes at all are read without an error', () => {
    const parts = fc.oneof(
      fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
      fc.string().map((text) => frame(TEXT, 1n, text)),
    );
    fc.assert(
      fc.property(fc.array(parts), (chunks) => {
        expect(() => decode(chunks)).not.toThrow();
      }),
    );
  });

  test('a message past the bound is cut, and the next one is read', () => {
    const long = frame(TEXT, 1n, Buffer.alloc(1_048_576 + 5000, 'x'));
    const next = frame(TEXT, 1n, 'next');
    for (const events of [
      messages(Buffer.concat([long, next])),
      messages(long.subarray(0, 700_000), long.subarray(700_000), next),
    ]) {
      expect(events.map((message) => message.length)).toEqual([1_048_576, 4]);
    }
  });

  test.each([
    ['a negative time', -5n],
    ['no time', 0n],
    ['a time past what a date can hold', 9_000_000_000_000_000_000n],
  ])('%s is none', (_, microseconds) => {
    expect(decode([frame(TEXT, microseconds, 'm')])[0]?.timestampMs).toBeUndefined();
  });

  test('what is no frame is lines of text from there on', () => {
    const noise = Buffer.from('plain text, written to the descriptor\nand more');
    const chunks = [frame(TEXT, 1n, 'framed'), noise, frame(TEXT, 1n, 'late')];
    for (const events of [messages(...chunks), messages(...bytesOf(...chunks))]) {
      expect(events.slice(0, 2)).toEqual(['framed', 'plain text, written to the descriptor']);
      expect(events[2]).toMatch(/^and more/);
    }
  });

  test.each([
    ['an unknown type', frame(0xa55a0001, 1n, 'x')],
    ['level bits without a level', frame((TEXT | 28) >>> 0, 1n, 'x')],
    ['a negative length', Buffer.from('a55a0003ffffffff0000000000000001', 'hex')],
  ])('%s is no frame', (_, bytes) => {
    expect(decode([bytes])[0]).toMatchObject({ level: undefined, timestampMs: undefined });
  });

  test('a line without an end is cut at the bound', () => {
    const chunk = Buffer.alloc(300_000, 'x');
    const events = messages(chunk, chunk, chunk, chunk, chunk, Buffer.from('\nnext\n'));
    expect(events.map((message) => message.length)).toEqual([1_048_576, 4]);
  });

  test('what has come of a last message is given out at the end', () => {
    expect(messages(frame(TEXT, 1n, 'cut short').subarray(0, 19))).toEqual(['cut']);
    expect(messages(Buffer.from('short'))).toEqual(['short']);
    expect(messages(frame(TEXT, 1n, 'x').subarray(0, 16))).toEqual(['']);
  });
});
