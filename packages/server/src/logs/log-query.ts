import { decodeLogLine } from './log-line.ts';
import type { LogQuery, StoredLogEvent } from './log-store.ts';
import type { Segment } from './segment-group.ts';
import { readLinesBackwards } from './segment-reader.ts';

/**
 * The events of these segments (oldest first) that match, oldest first. Reads from the end, and no
 * more than the limit needs; segments that are known to be too old are left out.
 */
export async function querySegments(
  segments: readonly Segment[],
  query: LogQuery,
): Promise<StoredLogEvent[]> {
  const limit = query.limit ?? Number.POSITIVE_INFINITY;
  const newestFirst: StoredLogEvent[] = [];
  // What is appended from now on does not belong to the answer.
  const snapshot = segments.map((segment) => ({ segment, bytes: segment.bytes }));
  for (const { segment, bytes } of snapshot.toReversed()) {
    if (newestFirst.length >= limit) break;
    if (isTooOld(segment, query)) continue;
    await querySegment(segment, bytes, query, limit, newestFirst);
  }
  return newestFirst.toReversed();
}

async function querySegment(
  segment: Segment,
  bytes: number,
  query: LogQuery,
  limit: number,
  found: StoredLogEvent[],
): Promise<void> {
  const fromMs = query.fromMs ?? Number.NEGATIVE_INFINITY;
  // Escaped as in the line, so that most lines need not be parsed.
  const mark = query.requestId === undefined ? undefined : JSON.stringify(query.requestId);
  let newestMs = Number.NEGATIVE_INFINITY;
  for await (const lines of readLinesBackwards(segment.path, bytes)) {
    for (const line of lines) {
      if (mark !== undefined && !line.includes(mark)) continue;
      const event = decodeLogLine(line);
      if (event === undefined) continue;
      newestMs = Math.max(newestMs, event.timestampMs);
      if (event.timestampMs < fromMs) continue;
      if (mark !== undefined && event.requestId !== query.requestId) continue;
      found.push(event);
      if (found.length >= limit) return;
    }
  }
  const sawAll = mark === undefined && segment.bytes === bytes;
  if (sawAll) segment.newestMs ??= newestMs;
}

function isTooOld(segment: Segment, { fromMs }: LogQuery): boolean {
  return fromMs !== undefined && segment.newestMs !== undefined && segment.newestMs < fromMs;
}
