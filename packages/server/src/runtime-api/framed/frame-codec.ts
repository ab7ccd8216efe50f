import { MAX_RESPONSE_BYTES } from '../../domain/limits.ts';

/** Frame types of packages/bootstrap/PROTOCOL.md. */
export const FRAME = {
  init: 0x01,
  invoke: 0x02,
  booted: 0x81,
  ready: 0x82,
  initError: 0x83,
  response: 0x84,
  error: 0x85,
  streamStart: 0x86,
  streamChunk: 0x87,
  streamEnd: 0x88,
  codeCache: 0x89,
} as const;

/** Length, type and length of the header. */
const PREFIX_BYTES = 9;
/** Bytes that the frame's length counts before the header starts. */
const COUNTED_PREFIX_BYTES = 5;
/** Headers hold a request id and two names; anything near this is no header of ours. */
const MAX_HEADER_BYTES = 65_536;
/** No runtime can hold a longer result; such a length is noise, not a frame. */
const MAX_FRAME_BYTES = 0x7fff_ffff;

/** A frame as it was read. */
export interface Frame {
  readonly type: number;
  readonly header: Readonly<Record<string, unknown>>;
  /** Empty where the payload was too long. May share memory with the chunk that it came in. */
  readonly payload: Buffer;
  /** The payload was longer than MAX_RESPONSE_BYTES: it was read past and is not kept. */
  readonly oversize: boolean;
}

/** What was read is not a frame; the bytes that follow have no meaning. */
export class FrameFormatError extends Error {
  override readonly name = 'FrameFormatError';
}

/** Encodes everything but the payload's own bytes: they follow what is returned. */
export function encodeFrameHead(type: number, header: object, payloadBytes: number): Buffer {
  return encode(type, header, payloadBytes, 0);
}

/** Encodes a frame into one buffer. */
export function encodeFrame(type: number, header: object, payload?: Uint8Array): Buffer {
  if (payload === undefined) return encode(type, header, 0, 0);
  const frame = encode(type, header, payload.length, payload.length);
  frame.set(payload, frame.length - payload.length);
  return frame;
}

function encode(type: number, header: object, payloadBytes: number, reservedBytes: number): Buffer {
  const json = JSON.stringify(header);
  const headerBytes = Buffer.byteLength(json);
  const frame = Buffer.allocUnsafe(PREFIX_BYTES + headerBytes + reservedBytes);
  frame.writeUInt32BE(COUNTED_PREFIX_BYTES + headerBytes + payloadBytes, 0);
  frame[4] = type;
  frame.writeUInt32BE(headerBytes, 5);
  frame.write(json, PREFIX_BYTES, headerBytes, 'utf8');
  return frame;
}

/**
 * Cuts a byte stream into frames, however it is chunked. Holds at most one header and one payload of
 * MAX_RESPONSE_BYTES; a payload that is longer is read past.
 */
export class FrameDecoder {
  readonly #onFrame: (frame: Frame) => void;
  readonly #prefix = Buffer.alloc(PREFIX_BYTES);
  #prefixFilled = 0;
  #type = 0;
  #header: Collector | undefined;
  #headerObject: Readonly<Record<string, unknown>> | undefined;
  #payload: Collector | undefined;
  #payloadBytes = 0;
  #skipBytes = 0;

  constructor(onFrame: (frame: Frame) => void) {
    this.#onFrame = onFrame;
  }

  /**
   * Reads the next bytes and calls `onFrame` for each frame that they complete. Throws a
   * FrameFormatError where they are not frames; after that, nothing more must be written.
   */
  write(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) offset = this.#step(chunk, offset);
  }

  /** Takes bytes for the part of the frame that is under way; returns where the next part starts. */
  #step(chunk: Buffer, offset: number): number {
    if (this.#skipBytes > 0) return this.#skip(chunk, offset);
    if (this.#payload !== undefined) return this.#readPayload(this.#payload, chunk, offset);
    if (this.#header !== undefined) return this.#readHeader(this.#header, chunk, offset);
    return this.#readPrefix(chunk, offset);
  }

  #readPrefix(chunk: Buffer, offset: number): number {
    if (this.#prefixFilled === 0 && chunk.length - offset >= PREFIX_BYTES) {
      this.#beginFrame(chunk, offset);
      return offset + PREFIX_BYTES;
    }
    const end = Math.min(chunk.length, offset + PREFIX_BYTES - this.#prefixFilled);
    chunk.copy(this.#prefix, this.#prefixFilled, offset, end);
    this.#prefixFilled += end - offset;
    if (this.#prefixFilled === PREFIX_BYTES) {
      this.#prefixFilled = 0;
      this.#beginFrame(this.#prefix, 0);
    }
    return end;
  }

  #beginFrame(prefix: Buffer, offset: number): void {
    const frameBytes = prefix.readUInt32BE(offset);
    const headerBytes = prefix.readUInt32BE(offset + 5);
    if (frameBytes < COUNTED_PREFIX_BYTES || frameBytes > MAX_FRAME_BYTES) {
      throw new FrameFormatError(`a frame of ${frameBytes} bytes`);
    }
    if (headerBytes > MAX_HEADER_BYTES || headerBytes > frameBytes - COUNTED_PREFIX_BYTES) {
      throw new FrameFormatError(`a header of ${headerBytes} bytes in a frame of ${frameBytes}`);
    }
    if (headerBytes === 0) throw new FrameFormatError('a frame without a header');
    this.#type = prefix[offset + 4] ?? 0;
    this.#header = new Collector(headerBytes);
    this.#payloadBytes = frameBytes - COUNTED_PREFIX_BYTES - headerBytes;
  }

  #readHeader(header: Collector, chunk: Buffer, offset: number): number {
    const next = header.take(chunk, offset);
    if (header.bytes === undefined) return next;
    this.#header = undefined;
    this.#headerObject = parseHeader(header.bytes);
    if (this.#payloadBytes > MAX_RESPONSE_BYTES) this.#skipBytes = this.#payloadBytes;
    else if (this.#payloadBytes > 0) this.#payload = new Collector(this.#payloadBytes);
    else this.#endFrame(EMPTY, false);
    return next;
  }

  #readPayload(payload: Collector, chunk: Buffer, offset: number): number {
    const next = payload.take(chunk, offset);
    if (payload.bytes !== undefined) {
      this.#payload = undefined;
      this.#endFrame(payload.bytes, false);
    }
    return next;
  }

  #skip(chunk: Buffer, offset: number): number {
    const skipped = Math.min(this.#skipBytes, chunk.length - offset);
    this.#skipBytes -= skipped;
    if (this.#skipBytes === 0) this.#endFrame(EMPTY, true);
    return offset + skipped;
  }

  #endFrame(payload: Buffer, oversize: boolean): void {
    const header = this.#headerObject ?? {};
    this.#headerObject = undefined;
    this.#onFrame({ type: this.#type, header, payload, oversize });
  }
}

const EMPTY = Buffer.alloc(0);

/** Gathers a known number of bytes: without a copy where one chunk has them all, else in one buffer. */
class Collector {
  bytes: Buffer | undefined;
  readonly #wanted: number;
  #partial: Buffer | undefined;
  #filled = 0;

  constructor(wanted: number) {
    this.#wanted = wanted;
  }

  /** Returns the offset behind what it took. */
  take(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + this.#wanted - this.#filled);
    if (this.#partial === undefined && end - offset === this.#wanted) {
      this.bytes = chunk.subarray(offset, end);
      return end;
    }
    this.#partial ??= Buffer.allocUnsafeSlow(this.#wanted);
    chunk.copy(this.#partial, this.#filled, offset, end);
    this.#filled += end - offset;
    if (this.#filled === this.#wanted) this.bytes = this.#partial;
    return end;
  }
}

function parseHeader(bytes: Buffer): Readonly<Record<string, unknown>> {
  let header: unknown;
  try {
    header = JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new FrameFormatError('a header that is not JSON', { cause: error });
  }
  if (!isRecord(header)) throw new FrameFormatError('a header that is not an object');
  return header;
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
