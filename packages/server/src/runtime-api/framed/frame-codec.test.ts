import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_RESPONSE_BYTES } from '../../domain/limits.ts';
import {
  encodeFrame,
  encodeFrameHead,
  FRAME,
  FrameDecoder,
  FrameFormatError,
  type Frame,
} from './frame-codec.ts';

function decode(chunks: readonly Buffer[]): Frame[] {
  const frames: Frame[] = [];
  const decoder = new FrameDecoder((frame) => frames.push(frame));
  for (const chunk of chunks) decoder.write(chunk);
  return frames;
}

/** Cuts the bytes at the given places, wherever they fall. */
function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const offsets = places.map((place) => place % (bytes.length + 1)).sort((a, b) => a - b);
  const ends = [...offsets, bytes.length];
  return ends.map((end, index) => bytes.subarray(index === 0 ? 0 : offsets[index - 1], end));
}

function refusalOf(chunks: readonly Buffer[]): unknown {
  try {
    decode(chunks);
  } catch (error) {
    return error;
  }
  return undefined;
}

const frame = fc.record({
  type: fc.constantFrom(...Object.values(FRAME)),
  header: fc.dictionary(fc.string(), fc.string({ unit: 'grapheme' })),
  payload: fc.uint8Array({ maxLength: 300 }),
});

describe('FrameDecoder', () => {
  test('any frames are read back, however the bytes are chunked', () => {
    fc.assert(
      fc.property(
        fc.array(frame, { maxLength: 6 }),
        fc.array(fc.nat(), { maxLength: 30 }),
        (frames, places) => {
          const bytes = Buffer.concat(frames.map((f) => encodeFrame(f.type, f.header, f.payload)));
          const read = decode(cut(bytes, places)).map(({ type, header, payload }) => ({
            type,
            header: { ...header },
            payload: [...payload],
          }));
          const sent = frames.map(({ type, header, payload }) => ({
            type,
            header: { ...JSON.parse(JSON.stringify(header)) },
            payload: [...payload],
          }));
          expect(read).toEqual(sent);
        },
      ),
    );
  });

  test('any bytes are either frames or refused', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), (chunks) => {
        const refusal = refusalOf(chunks.map((chunk) => Buffer.from(chunk)));
        expect(refusal === undefined || refusal instanceof FrameFormatError).toBe(true);
      }),
    );
  });

  test('a payload of the largest size is kept', () => {
    const payload = Buffer.alloc(MAX_RESPONSE_BYTES, 'x');
    const frames = decode(cut(encodeFrame(FRAME.response, {}, payload), [9, 70_000, 5_000_000]));
    expect(frames).toHaveLength(1);
    expect(frames[0]?.oversize).toBe(false);
    expect(frames[0]?.payload.equals(payload)).toBe(true);
  });

  test('a payload beyond it is read past, and the next frame is read', () => {
    const head = encodeFrameHead(FRAME.response, { requestId: 'r' }, MAX_RESPONSE_BYTES + 1);
    const part = Buffer.alloc(1_048_576);
    const parts = Array.from({ length: 6 }, () => part);
    const rest = Buffer.alloc(MAX_RESPONSE_BYTES + 1 - 6 * part.length);
    const next = encodeFrame(FRAME.ready, {}, Buffer.from('p'));
    const frames = decode([head, ...parts, Buffer.concat([rest, next])]);
    expect(frames.map(({ type, oversize, payload }) => [type, oversize, payload.length])).toEqual([
      [FRAME.response, true, 0],
      [FRAME.ready, false, 1],
    ]);
  });

  test.each([
    ['a length below the prefix', [0, 0, 0, 4, 0x84, 0, 0, 0, 0]],
    ['a length that no runtime can hold', [0x80, 0, 0, 0, 0x84, 0, 0, 0, 2]],
    ['a header that is longer than its frame', [0, 0, 0, 10, 0x84, 0, 0, 0, 6]],
    ['a header beyond the bound', [0, 1, 0x50, 0, 0x84, 0, 1, 0, 1]],
    ['no header', [0, 0, 0, 5, 0x84, 0, 0, 0, 0]],
    ['a header that is not JSON', [0, 0, 0, 7, 0x84, 0, 0, 0, 2, 0x7b, 0x7b]],
    ['a header that is an array', [0, 0, 0, 7, 0x84, 0, 0, 0, 2, 0x5b, 0x5d]],
  ])('%s is refused', (_, bytes) => {
    expect(() => decode([Buffer.from(bytes)])).toThrow(FrameFormatError);
    expect(() => decode(bytes.map((byte) => Buffer.of(byte)))).toThrow(FrameFormatError);
  });
});
