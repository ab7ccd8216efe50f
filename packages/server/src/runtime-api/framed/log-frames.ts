import { BoundedBuffer } from './bounded-buffer.ts';

/** Levels in the order of their bits; index 0 is a frame that names none. */
const LEVELS = [undefined, 'TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'] as const;

export type LogLevel = Exclude<(typeof LEVELS)[number], undefined>;

/** One log event as a runtime wrote it. */
export interface RuntimeLogEvent {
  readonly level: LogLevel | undefined;
  readonly format: 'text' | 'json';
  /** Milliseconds since the epoch as the guest says; undefined where it says nothing that makes sense. */
  readonly timestampMs: number | undefined;
  /** Without the line break that ends it. */
  readonly message: string;
}

const HEADER_BYTES = 16;
const TEXT_TYPE = 0xa55a_0003;
const JSON_TYPE = 0xa55a_0002;
const LEVEL_MASK = 0b11100;
/** Longer messages are cut here and the rest is read past. */
const MAX_MESSAGE_BYTES = 1_048_576;
/** What a Date can hold. */
const MAX_TIMESTAMP_MS = 8.64e15;
const LINE_FEED = 0x0a;
const EMPTY = Buffer.alloc(0);

interface FrameUnderWay {
  readonly level: LogLevel | undefined;
  readonly format: 'text' | 'json';
  readonly timestampMs: number | undefined;
  /** Message bytes still to come, those that are read past included. */
  remainingBytes: number;
}

/**
 * Reads the log pipe of a runtime (`_LAMBDA_TELEMETRY_LOG_FD`), framed as AWS's own runtimes do.
 * Where a header is none, what comes from there on is taken for lines of plain text: a function can
 * write to the descriptor as well. Never throws; holds one message of at most 1 MiB.
 */
export class LogFrameDecoder {
  readonly #onEvent: (event: RuntimeLogEvent) => void;
  readonly #header = Buffer.alloc(HEADER_BYTES);
  #headerFilled = 0;
  readonly #message = new BoundedBuffer(MAX_MESSAGE_BYTES);
  #frame: FrameUnderWay | undefined;
  #lines: PlainLines | undefined;

  constructor(onEvent: (event: RuntimeLogEvent) => void) {
    this.#onEvent = onEvent;
  }

  write(chunk: Buffer): void {
    let offset = 0;
    while (offset < chunk.length) {
      if (this.#lines !== undefined) {
        this.#lines.write(chunk.subarray(offset));
        return;
      }
      offset =
        this.#frame === undefined
          ? this.#readHeader(chunk, offset)
          : this.#readMessage(this.#frame, chunk, offset);
    }
  }

  /** The stream has ended: what is there of the last message is given out. */
  end(): void {
    if (this.#frame !== undefined) this.#emit(this.#frame, this.#message.toBuffer());
    if (this.#headerFilled > 0) this.#fallBack();
    this.#lines?.end();
  }

  #readHeader(chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + HEADER_BYTES - this.#headerFilled);
    chunk.copy(this.#header, this.#headerFilled, offset, end);
    this.#headerFilled += end - offset;
    if (this.#headerFilled === HEADER_BYTES) this.#beginFrame();
    return end;
  }

  #beginFrame(): void {
    const type = this.#header.readUInt32BE(0);
    const length = this.#header.readUInt32BE(4);
    const baseType = (type & ~LEVEL_MASK) >>> 0;
    const levelIndex = (type & LEVEL_MASK) >>> 2;
    const isFrame = baseType === TEXT_TYPE || baseType === JSON_TYPE;
    if (!isFrame || levelIndex >= LEVELS.length || length > 0x7fff_ffff) {
      this.#fallBack();
      return;
    }
    this.#headerFilled = 0;
    const frame = {
      level: LEVELS[levelIndex],
      format: baseType === JSON_TYPE ? ('json' as const) : ('text' as const),
      timestampMs: readTimestampMs(this.#header),
      remainingBytes: length,
    };
    if (length === 0) this.#emit(frame, EMPTY);
    else this.#frame = frame;
  }

  #readMessage(frame: FrameUnderWay, chunk: Buffer, offset: number): number {
    const end = Math.min(chunk.length, offset + frame.remainingBytes);
    const part = chunk.subarray(offset, end);
    frame.remainingBytes -= part.length;
    if (frame.remainingBytes > 0) this.#message.append(part);
    else if (this.#message.length === 0) this.#emit(frame, part.subarray(0, MAX_MESSAGE_BYTES));
    else {
      this.#message.append(part);
      this.#emit(frame, this.#message.toBuffer());
    }
    return end;
  }

  #emit({ level, format, timestampMs }: FrameUnderWay, bytes: Buffer): void {
    this.#frame = undefined;
    this.#message.clear();
    const end = bytes.at(-1) === LINE_FEED ? bytes.length - 1 : bytes.length;
    this.#onEvent({ level, format, timestampMs, message: bytes.toString('utf8', 0, end) });
  }

  #fallBack(): void {
    this.#lines = new PlainLines(this.#onEvent);
    this.#lines.write(this.#header.subarray(0, this.#headerFilled));
    this.#headerFilled = 0;
  }
}

/** Microseconds as signed 64 bits; double precision keeps them exact to the year 2255. */
function readTimestampMs(header: Buffer): number | undefined {
  const microseconds = header.readInt32BE(8) * 2 ** 32 + header.readUInt32BE(12);
  const timestampMs = Math.floor(microseconds / 1000);
  return timestampMs > 0 && timestampMs <= MAX_TIMESTAMP_MS ? timestampMs : undefined;
}

/** Splits what is no frame at its line breaks; a line past the bound is cut and read past. */
class PlainLines {
  readonly #onEvent: (event: RuntimeLogEvent) => void;
  readonly #line = new BoundedBuffer(MAX_MESSAGE_BYTES);

  constructor(onEvent: (event: RuntimeLogEvent) => void) {
    this.#onEvent = onEvent;
  }

  write(chunk: Buffer): void {
    let start = 0;
    for (;;) {
      const end = chunk.indexOf(LINE_FEED, start);
      if (end === -1) break;
      this.#line.append(chunk.subarray(start, end));
      this.#emit();
      start = end + 1;
    }
    this.#line.append(chunk.subarray(start));
  }

  end(): void {
    if (this.#line.length > 0) this.#emit();
  }

  #emit(): void {
    const message = this.#line.toBuffer().toString('utf8');
    this.#line.clear();
    this.#onEvent({ level: undefined, format: 'text', timestampMs: undefined, message });
  }
}
