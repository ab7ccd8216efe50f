const MEBIBYTE = 1_048_576;

/** Bounds of a log store; all may be set. */
export interface SegmentLogLimits {
  /** Longest time that an event waits in memory, in milliseconds. */
  readonly flushIntervalMs: number;
  /** Memory for events that wait to be written: of all groups, and of one. */
  readonly queueBytes: number;
  readonly groupQueueBytes: number;
  /** Size at which a file is closed and the next begun. What is removed is always a whole file. */
  readonly segmentBytes: number;
  /** Disk for one group, and for all of them; beyond it the oldest files are removed. */
  readonly groupBytes: number;
  readonly totalBytes: number;
}

export const DEFAULT_LOG_LIMITS: SegmentLogLimits = {
  flushIntervalMs: 50,
  queueBytes: 32 * MEBIBYTE,
  groupQueueBytes: 8 * MEBIBYTE,
  segmentBytes: 8 * MEBIBYTE,
  groupBytes: 64 * MEBIBYTE,
  totalBytes: 1_024 * MEBIBYTE,
};
