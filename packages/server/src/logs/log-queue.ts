import type { LogEvent } from './log-store.ts';

/** Streams of one queue that get a notice of their own; the rest are counted in the last of these. */
const MAX_NOTICES = 1_000;
/** What an event costs beside its message: the objects, the stream's and the request's name. */
const EVENT_OVERHEAD_BYTES = 256;

/** An event that waits to be written, or a place where events were dropped. */
export interface QueuedEntry {
  /** Orders what was appended against the moment a follower came. */
  readonly sequence: number;
  readonly logStreamName: string;
  /** Undefined where events were dropped. */
  readonly event: LogEvent | undefined;
  droppedEvents: number;
  readonly reason: string;
}

/** Memory that an event takes while it waits, in bytes; a careful estimate. */
export function queuedBytes(event: LogEvent): number {
  return event.message.length * 2 + EVENT_OVERHEAD_BYTES;
}

/** The events of one group that wait to be written, with a notice wherever some are missing. */
export class LogQueue {
  #entries: QueuedEntry[] = [];
  #notices = new Notices();

  get isEmpty(): boolean {
    return this.#entries.length === 0;
  }

  push(sequence: number, logStreamName: string, event: LogEvent): void {
    this.#entries.push({ sequence, logStreamName, event, droppedEvents: 0, reason: '' });
  }

  /** Counts a dropped event in the notice that stands where the first of its stream is missing. */
  drop(sequence: number, logStreamName: string, reason: string): void {
    const notice = this.#notices.count(sequence, logStreamName, 1, reason);
    if (notice !== undefined) this.#entries.push(notice);
  }

  /** All that waits, oldest first; the queue is empty afterwards. */
  take(): QueuedEntry[] {
    const entries = this.#entries;
    this.#entries = [];
    this.#notices = new Notices();
    return entries;
  }

  /** Puts notices in the place of entries that were taken and could not be written. */
  putBackAsDropped(lost: readonly QueuedEntry[], reason: string): void {
    const notices = new Notices();
    const missing: QueuedEntry[] = [];
    for (const { sequence, logStreamName, event, droppedEvents } of lost) {
      const count = event === undefined ? droppedEvents : 1;
      const notice = notices.count(sequence, logStreamName, count, reason);
      if (notice !== undefined) missing.push(notice);
    }
    this.#entries = [...missing, ...this.#entries];
  }
}

/** One notice for each stream, up to the bound. */
class Notices {
  readonly #byStream = new Map<string, QueuedEntry>();
  #last: QueuedEntry | undefined;

  /** Counts dropped events; gives the notice where it is a new one. */
  count(
    sequence: number,
    logStreamName: string,
    events: number,
    reason: string,
  ): QueuedEntry | undefined {
    const rest = this.#byStream.size >= MAX_NOTICES ? this.#last : undefined;
    const known = this.#byStream.get(logStreamName) ?? rest;
    if (known !== undefined) {
      known.droppedEvents += events;
      return undefined;
    }
    const notice = { sequence, logStreamName, event: undefined, droppedEvents: events, reason };
    this.#byStream.set(logStreamName, notice);
    this.#last = notice;
    return notice;
  }
}
