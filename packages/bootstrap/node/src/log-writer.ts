import { format } from 'node:util';
import { asError, toLogText } from './errors.ts';
import { writeFully } from './write-fully.ts';

const HEADER_BYTES = 16;
const TEXT_FRAME = 0xa55a_0003;
const JSON_FRAME = 0xa55a_0002;

interface Level {
  readonly name: string;
  readonly priority: number;
}

const LEVELS = {
  trace: { name: 'TRACE', priority: 1 },
  debug: { name: 'DEBUG', priority: 2 },
  info: { name: 'INFO', priority: 3 },
  warn: { name: 'WARN', priority: 4 },
  error: { name: 'ERROR', priority: 5 },
  fatal: { name: 'FATAL', priority: 6 },
} as const satisfies Record<string, Level>;

type Print = (...values: unknown[]) => void;

/** Writes log events, each one frame: a message with line breaks stays one event. */
export class LogWriter {
  /** Shown in each event; undefined during init, as on AWS Lambda. */
  requestId: string | undefined;
  readonly #fd: number;
  readonly #isJson: boolean;

  /** `logFormat` is AWS_LAMBDA_LOG_FORMAT. */
  constructor(fd: number, logFormat: string | undefined) {
    this.#fd = fd;
    this.#isJson = logFormat?.toUpperCase() === 'JSON';
  }

  /** Makes the global console write here; `logLevel` is AWS_LAMBDA_LOG_LEVEL. */
  patchConsole(logLevel: string | undefined): void {
    const lowest = Object.values(LEVELS).find((level) => level.name === logLevel?.toUpperCase());
    const printAt = (level: Level): Print =>
      level.priority < (lowest?.priority ?? 0)
        ? () => {}
        : (...values) => this.#print(level, values);
    const info = printAt(LEVELS.info);
    Object.assign(console, {
      trace: printAt(LEVELS.trace),
      debug: printAt(LEVELS.debug),
      info,
      log: info,
      warn: printAt(LEVELS.warn),
      error: printAt(LEVELS.error),
      // No part of Node.js's console; AWS Lambda adds it.
      fatal: printAt(LEVELS.fatal),
    });
  }

  /** Logs what ended an event or the process: `Invoke Error`, `Uncaught Exception` … */
  logError(title: string, error: unknown): void {
    if (this.#isJson) this.#print(LEVELS.error, [asError(error)]);
    else this.#print(LEVELS.error, [title, toLogText(error)]);
  }

  #print(level: Level, values: readonly unknown[]): void {
    const nowMs = Date.now();
    const time = new Date(nowMs).toISOString();
    if (this.#isJson) {
      this.#write(JSON_FRAME, level, nowMs, jsonLine(time, this.requestId, level, values));
    } else {
      const line = `${time}\t${this.requestId}\t${level.name}\t${format(...values)}\n`;
      this.#write(TEXT_FRAME, level, nowMs, line);
    }
  }

  #write(frameType: number, level: Level, nowMs: number, message: string): void {
    const messageBytes = Buffer.byteLength(message);
    const frame = Buffer.allocUnsafe(HEADER_BYTES + messageBytes);
    frame.writeUInt32BE((frameType | (level.priority << 2)) >>> 0, 0);
    frame.writeUInt32BE(messageBytes, 4);
    frame.writeBigInt64BE(BigInt(nowMs) * 1000n, 8);
    frame.write(message, HEADER_BYTES, 'utf8');
    writeFully(this.#fd, frame);
  }
}

/** One application log event of the JSON format. */
function jsonLine(
  timestamp: string,
  requestId: string | undefined,
  level: Level,
  values: readonly unknown[],
): string {
  const fields: Record<string, unknown> = { timestamp, level: level.name, requestId };
  if (values.length === 1) {
    try {
      return JSON.stringify({ ...fields, message: values[0] }, errorReplacer);
    } catch {
      return JSON.stringify({ ...fields, message: format(values[0]) });
    }
  }
  const error = values.find((value) => value instanceof Error);
  return JSON.stringify({ ...fields, message: format(...values), ...errorFields(error) });
}

function errorReplacer(_key: string, value: unknown): unknown {
  return value instanceof Error ? Object.assign(errorFields(value), value) : value;
}

function errorFields(error: Error | undefined): Record<string, unknown> {
  if (error === undefined) return {};
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? error.stack.split('\n') : [],
  };
}
