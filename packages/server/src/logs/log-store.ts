/** One log event of CloudWatch's kind. */
export interface LogEvent {
  /** Milliseconds since the epoch. */
  readonly timestampMs: number;
  /** The request that it belongs to; undefined outside of invocations. */
  readonly requestId?: string;
  /** Without the ending line break; may hold line breaks inside. */
  readonly message: string;
}

/** A log event with the stream it was written to. */
export interface StoredLogEvent extends LogEvent {
  readonly logStreamName: string;
}

/** Names a log group: groups of two accounts or regions never meet. */
export interface LogGroupIdentity {
  readonly accountId: string;
  readonly region: string;
  readonly logGroupName: string;
}

export interface LogQuery {
  /** Only events of this time or later. */
  readonly fromMs?: number;
  /** Only the newest so many of what matches. */
  readonly limit?: number;
  readonly requestId?: string;
}

/**
 * Where the log events of all functions go. Events of one stream keep their order. Writing never
 * blocks and never fails for the writer: past the memory bound, events are dropped and counted, and a
 * line in the same stream says how many.
 */
export interface LogStore extends AsyncDisposable {
  append(group: LogGroupIdentity, logStreamName: string, event: LogEvent): void;
  /** Oldest first. A group that does not exist has no events. */
  read(group: LogGroupIdentity, query: LogQuery): Promise<StoredLogEvent[]>;
  /** Calls `listener` for each event from now on; the returned function ends it. */
  follow(group: LogGroupIdentity, listener: (event: StoredLogEvent) => void): () => void;
  deleteGroup(group: LogGroupIdentity): Promise<void>;
  /** Settles when all that was appended before is written. */
  flush(): Promise<void>;
  /** Flushes and closes. Afterwards `append` is ignored. */
  [Symbol.asyncDispose](): Promise<void>;
}
