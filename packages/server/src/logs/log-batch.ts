import { encodeLogLine } from './log-line.ts';
import { queuedBytes, type QueuedEntry } from './log-queue.ts';
import type { LogEvent } from './log-store.ts';

/** Characters that are put together for one write: about a millisecond of encoding. */
const BATCH_CHARACTERS = 262_144;

/** Lines for one write. */
export interface LogBatch {
  readonly lines: Buffer;
  /** Index of the first entry that is not in it. */
  readonly end: number;
  /** Newest timestamp of its events. */
  readonly newestMs: number;
  /** What its events took in the queue. */
  readonly waitingBytes: number;
}

/** Encodes entries from `start` on until one write is full. Notices get the time `nowMs`. */
export function encodeBatch(
  entries: readonly QueuedEntry[],
  start: number,
  nowMs: number,
): LogBatch {
  let text = '';
  let newestMs = Number.NEGATIVE_INFINITY;
  let end = start;
  let waitingBytes = 0;
  while (end < entries.length && text.length < BATCH_CHARACTERS) {
    const entry = entries[end];
    if (entry === undefined) break;
    const event = eventOf(entry, nowMs);
    text += encodeLogLine(entry.logStreamName, event);
    newestMs = Math.max(newestMs, event.timestampMs);
    waitingBytes += entry.event === undefined ? 0 : queuedBytes(entry.event);
    end += 1;
  }
  return { lines: Buffer.from(text), end, newestMs, waitingBytes };
}

/** What these entries take in the queue; notices take nothing. */
export function waitingBytesOf(entries: readonly QueuedEntry[]): number {
  return entries.reduce(
    (sum, { event }) => (event === undefined ? sum : sum + queuedBytes(event)),
    0,
  );
}

/** The event of an entry; of a notice, a line of that time that says what is missing. */
export function eventOf({ event, droppedEvents, reason }: QueuedEntry, nowMs: number): LogEvent {
  if (event !== undefined) return event;
  const events = droppedEvents === 1 ? '1 log event was' : `${droppedEvents} log events were`;
  return { timestampMs: nowMs, message: `[hearth] ${events} dropped here: ${reason}` };
}
