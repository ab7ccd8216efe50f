/** Frame types; see PROTOCOL.md. */
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

const LENGTH_BYTES = 4;
const PREFIX_BYTES = 9;

export type Payload = string | Uint8Array;

/** Receives a frame; `frame` is only valid during the call. */
export type FrameListener = (
  type: number,
  header: string,
  frame: Buffer,
  payloadStart: number,
) => void;

export function encodeFrame(type: number, header: string, payload: Payload = ''): Buffer {
  const headerBytes = Buffer.byteLength(header);
  const payloadBytes = typeof payload === 'string' ? Buffer.byteLength(payload) : payload.length;
  const payloadStart = PREFIX_BYTES + headerBytes;
  const frame = Buffer.allocUnsafe(payloadStart + payloadBytes);
  frame.writeUInt32BE(frame.length - LENGTH_BYTES, 0);
  frame[4] = type;
  frame.writeUInt32BE(headerBytes, 5);
  frame.write(header, PREFIX_BYTES, 'utf8');
  if (typeof payload === 'string') frame.write(payload, payloadStart, 'utf8');
  else frame.set(payload, payloadStart);
  return frame;
}

/** Cuts what the server sends into frames, however it is chunked. */
export class FrameReader {
  readonly #onFrame: FrameListener;
  readonly #length = Buffer.alloc(LENGTH_BYTES);
  #lengthFilled = 0;
  #partial: Buffer | undefined;
  #partialFilled = 0;

  constructor(onFrame: FrameListener) {
    this.#onFrame = onFrame;
  }

  /** `chunk` may be overwritten after the call. */
  read(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      offset =
        this.#partial === undefined
          ? this.#begin(chunk, offset)
          : this.#fill(this.#partial, chunk, offset);
    }
  }

  #begin(chunk: Buffer, offset: number): number {
    if (this.#lengthFilled === 0 && chunk.length - offset >= LENGTH_BYTES) {
      const end = offset + LENGTH_BYTES + chunk.readUInt32BE(offset);
      if (end <= chunk.length) {
        this.#dispatch(chunk.subarray(offset, end));
        return end;
      }
    }
    const end = Math.min(chunk.length, offset + LENGTH_BYTES - this.#lengthFilled);
    chunk.copy(this.#length, this.#lengthFilled, offset, end);
    this.#lengthFilled += end - offset;
    if (this.#lengthFilled === LENGTH_BYTES) {
      this.#partial = Buffer.allocUnsafe(LENGTH_BYTES + this.#length.readUInt32BE(0));
      this.#partialFilled = this.#length.copy(this.#partial);
      this.#lengthFilled = 0;
    }
    return end;
  }

  #fill(partial: Buffer, chunk: Buffer, offset: number): number {
    const copied = chunk.copy(partial, this.#partialFilled, offset);
    this.#partialFilled += copied;
    if (this.#partialFilled === partial.length) {
      this.#partial = undefined;
      this.#dispatch(partial);
    }
    return offset + copied;
  }

  #dispatch(frame: Buffer): void {
    const headerEnd = PREFIX_BYTES + frame.readUInt32BE(5);
    this.#onFrame(frame[4] ?? 0, frame.toString('utf8', PREFIX_BYTES, headerEnd), frame, headerEnd);
  }
}
