import type { LogEvent, StoredLogEvent } from './log-store.ts';

/**
 * One event as one line of JSON: `{"t":<ms>,"s":<stream>,"r":<request id>,"m":<message>}`. JSON
 * escapes line breaks and control characters, so nothing in a message can begin another event.
 */
export function encodeLogLine(logStreamName: string, event: LogEvent): string {
  const timestampMs = Number.isFinite(event.timestampMs) ? event.timestampMs : 0;
  const request = event.requestId === undefined ? '' : `,"r":${JSON.stringify(event.requestId)}`;
  return `{"t":${timestampMs},"s":${JSON.stringify(logStreamName)}${request},"m":${JSON.stringify(event.message)}}\n`;
}

/** The event of a line without its line break; undefined where a crash left only a part of it. */
export function decodeLogLine(line: Buffer): StoredLogEvent | undefined {
  let parsed: unknown;
  try {
    parsed = JSON.parse(line.toString());
  } catch {
    return undefined;
  }
  if (typeof parsed !== 'object' || parsed === null) return undefined;
  const { t, s, r, m }: { t?: unknown; s?: unknown; r?: unknown; m?: unknown } = parsed;
  if (typeof t !== 'number' || typeof s !== 'string' || typeof m !== 'string') return undefined;
  return {
    timestampMs: t,
    logStreamName: s,
    message: m,
    ...(typeof r === 'string' && { requestId: r }),
  };
}
