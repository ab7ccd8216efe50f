import { mkdir, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../clock/clock.ts';
import { MAX_EVENT_BYTES, splitMessage } from './event-bound.ts';
import { encodeBatch, eventOf, waitingBytesOf } from './log-batch.ts';
import { LogFollowers } from './log-followers.ts';
import { groupKey } from './log-group-key.ts';
import { DEFAULT_LOG_LIMITS, type SegmentLogLimits } from './log-limits.ts';
import { querySegments } from './log-query.ts';
import { LogQueue, queuedBytes, type QueuedEntry } from './log-queue.ts';
import { LogRetention, sizeOf } from './log-retention.ts';
import type {
  LogEvent,
  LogGroupIdentity,
  LogQuery,
  LogStore,
  StoredLogEvent,
} from './log-store.ts';
import { SegmentGroup } from './segment-group.ts';

/** So much waiting is written at once instead of at the next interval. */
const EAGER_BYTES = 1_048_576;
/** How long to wait after a failed write, in milliseconds. */
const RETRY_MS = 1_000;
const GROUPS_LOADED_AT_ONCE = 32;
const QUEUE_FULL = 'the queue of the log was full';

export interface SegmentLogStoreOptions {
  /** Absolute; made if missing. One server at a time may use it. */
  readonly directory: string;
  readonly clock: Clock;
  /** Called once when writing begins to fail, and again only after it has worked in between. */
  readonly onFault: (error: Error) => void;
  readonly limits?: Partial<SegmentLogLimits>;
}

interface Group {
  /** Name of its folder. */
  readonly key: string;
  readonly files: SegmentGroup;
  readonly queue: LogQueue;
  waitingBytes: number;
  isDeleted: boolean;
}

/**
 * Logs in files below one folder, one folder for each group. `append` only puts the event into a
 * queue; batches are written a moment later, one after the other. They are given to the system, not
 * forced to disk: a killed server loses what waited, at most `flushIntervalMs` of it, a machine
 * without power more. Events over 256 KiB become several.
 */
export class SegmentLogStore implements LogStore {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #onFault: (error: Error) => void;
  readonly #limits: SegmentLogLimits;
  readonly #retention: LogRetention;
  readonly #followers: LogFollowers;
  /** By key: all that have files or events that wait. */
  readonly #groups = new Map<string, Group>();
  /** Saves the hash of the name on every event; callers keep their identity object. */
  readonly #known = new WeakMap<LogGroupIdentity, Group>();
  readonly #dirty = new Set<Group>();
  #waitingBytes = 0;
  #sequence = 0;
  #writes = 0;
  /** Groups whose last write failed. */
  readonly #failing = new Set<Group>();
  #isRemovalFailing = false;
  #isClosed = false;
  #isDrainQueued = false;
  #timer: Timer | undefined;
  /** Everything that touches files, one after the other. Never rejects. */
  #tail: Promise<unknown> = Promise.resolve();

  private constructor(options: SegmentLogStoreOptions, limits: SegmentLogLimits) {
    this.#directory = options.directory;
    this.#clock = options.clock;
    this.#onFault = options.onFault;
    this.#limits = limits;
    this.#retention = new LogRetention(limits);
    this.#followers = new LogFollowers(options.onFault);
  }

  /** Finds the logs of an earlier server. */
  static async open(options: SegmentLogStoreOptions): Promise<SegmentLogStore> {
    const store = new SegmentLogStore(options, { ...DEFAULT_LOG_LIMITS, ...options.limits });
    await mkdir(options.directory, { recursive: true, mode: 0o700 });
    await store.#load();
    return store;
  }

  append(identity: LogGroupIdentity, logStreamName: string, event: LogEvent): void {
    if (this.#isClosed) return;
    const group = this.#groupFor(identity);
    if (event.message.length * 3 <= MAX_EVENT_BYTES) {
      this.#enqueue(group, logStreamName, event);
    } else if (this.#hasRoom(group, queuedBytes(event))) {
      for (const message of splitMessage(event.message)) {
        this.#enqueue(group, logStreamName, { ...event, message });
      }
    } else {
      group.queue.drop((this.#sequence += 1), logStreamName, QUEUE_FULL);
    }
    this.#schedule(group);
  }

  async read(identity: LogGroupIdentity, query: LogQuery): Promise<StoredLogEvent[]> {
    await this.flush();
    const group = this.#groups.get(groupKey(identity));
    return group === undefined ? [] : await querySegments(group.files.segments, query);
  }

  follow(identity: LogGroupIdentity, listener: (event: StoredLogEvent) => void): () => void {
    return this.#followers.add(groupKey(identity), this.#sequence + 1, listener);
  }

  async deleteGroup(identity: LogGroupIdentity): Promise<void> {
    const key = groupKey(identity);
    const group = this.#groups.get(key);
    if (group === undefined) return;
    group.isDeleted = true;
    group.queue.take();
    this.#release(group, group.waitingBytes);
    this.#groups.delete(key);
    this.#dirty.delete(group);
    this.#failing.delete(group);
    await this.#inTurn(async () => {
      this.#retention.count(-sizeOf(group.files));
      await group.files.removeAll();
    });
  }

  async flush(): Promise<void> {
    await this.#inTurn(() => this.#drain());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isClosed = true;
    await this.flush();
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#followers.clear();
  }

  #enqueue(group: Group, logStreamName: string, event: LogEvent): void {
    this.#sequence += 1;
    const bytes = queuedBytes(event);
    if (this.#hasRoom(group, bytes)) {
      group.queue.push(this.#sequence, logStreamName, event);
      group.waitingBytes += bytes;
      this.#waitingBytes += bytes;
    } else {
      group.queue.drop(this.#sequence, logStreamName, QUEUE_FULL);
    }
  }

  #hasRoom(group: Group, bytes: number): boolean {
    return (
      group.waitingBytes + bytes <= this.#limits.groupQueueBytes &&
      this.#waitingBytes + bytes <= this.#limits.queueBytes
    );
  }

  #release(group: Group, bytes: number): void {
    group.waitingBytes -= bytes;
    this.#waitingBytes -= bytes;
  }

  #schedule(group: Group): void {
    this.#dirty.add(group);
    const isFailing = this.#failing.has(group);
    if (this.#waitingBytes >= EAGER_BYTES && !isFailing) this.#drainSoon();
    else this.#startTimer(isFailing ? RETRY_MS : this.#limits.flushIntervalMs);
  }

  #startTimer(delayMs: number): void {
    this.#timer ??= this.#clock.startTimer(delayMs, () => {
      this.#timer = undefined;
      this.#drainSoon();
    });
  }

  /** Not within `append`: encoding a batch takes a millisecond. */
  #drainSoon(): void {
    if (this.#isDrainQueued) return;
    this.#isDrainQueued = true;
    void this.#inTurn(async () => {
      this.#isDrainQueued = false;
      await this.#drain();
    });
  }

  #inTurn(action: () => Promise<void>): Promise<void> {
    const turn = this.#tail.then(action);
    this.#tail = turn.catch(() => undefined);
    return turn;
  }

  /** Writes what waits at this moment. Never rejects. */
  async #drain(): Promise<void> {
    const groups = [...this.#dirty];
    this.#dirty.clear();
    for (const group of groups) await this.#writeOut(group, group.queue.take());
  }

  async #writeOut(group: Group, entries: readonly QueuedEntry[]): Promise<void> {
    for (let at = 0; at < entries.length && !group.isDeleted;) {
      const nowMs = this.#clock.nowMs();
      const batch = encodeBatch(entries, at, nowMs);
      try {
        this.#writes += 1;
        await group.files.append(batch.lines, batch.newestMs, this.#writes);
      } catch (error) {
        this.#giveUp(group, entries.slice(at), error);
        return;
      }
      this.#failing.delete(group);
      this.#retention.count(batch.lines.length);
      if (!group.isDeleted) this.#release(group, batch.waitingBytes);
      this.#tellFollowers(group, entries.slice(at, batch.end), nowMs);
      await this.#enforceRetention(group);
      at = batch.end;
    }
  }

  #giveUp(group: Group, lost: readonly QueuedEntry[], error: unknown): void {
    if (group.isDeleted) return;
    const code = error instanceof Error && 'code' in error ? String(error.code) : 'unknown error';
    group.queue.putBackAsDropped(lost, `they could not be written (${code})`);
    this.#release(group, waitingBytesOf(lost));
    this.#dirty.add(group);
    if (!this.#isClosed) this.#startTimer(RETRY_MS);
    if (this.#failing.size === 0) {
      const message = `Cannot write logs to ${group.files.directory}: ${code}; events are dropped`;
      this.#onFault(new Error(message, { cause: error }));
    }
    this.#failing.add(group);
  }

  async #enforceRetention(group: Group): Promise<void> {
    try {
      await this.#retention.enforce(
        group.files,
        this.#groups.values().map(({ files }) => files),
      );
      this.#isRemovalFailing = false;
    } catch (error) {
      if (!this.#isRemovalFailing) {
        this.#onFault(
          new Error('Cannot remove old logs; they exceed their limit', { cause: error }),
        );
      }
      this.#isRemovalFailing = true;
    }
  }

  #tellFollowers(group: Group, written: readonly QueuedEntry[], nowMs: number): void {
    if (!this.#followers.isFollowed(group.key)) return;
    for (const entry of written) {
      const event = { ...eventOf(entry, nowMs), logStreamName: entry.logStreamName };
      this.#followers.tell(group.key, entry.sequence, event);
    }
  }

  #groupFor(identity: LogGroupIdentity): Group {
    const known = this.#known.get(identity);
    if (known !== undefined && !known.isDeleted) return known;
    const key = groupKey(identity);
    const group = this.#groups.get(key) ?? this.#addGroup(key);
    this.#known.set(identity, group);
    return group;
  }

  #addGroup(key: string): Group {
    const files = new SegmentGroup(join(this.#directory, key), this.#limits.segmentBytes);
    const group = { key, files, queue: new LogQueue(), waitingBytes: 0, isDeleted: false };
    this.#groups.set(key, group);
    return group;
  }

  async #load(): Promise<void> {
    const entries = await readdir(this.#directory, { withFileTypes: true });
    const keys = entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    for (let at = 0; at < keys.length; at += GROUPS_LOADED_AT_ONCE) {
      const some = keys.slice(at, at + GROUPS_LOADED_AT_ONCE);
      await Promise.all(some.map((key) => this.#addGroup(key).files.load()));
    }
    const groups = [...this.#groups.values()];
    const segments = groups.flatMap(({ files }) => files.segments);
    segments.sort((a, b) => a.lastWrite - b.lastWrite);
    for (const segment of segments) {
      this.#writes += 1;
      segment.lastWrite = this.#writes;
      this.#retention.count(segment.bytes);
    }
  }
}
