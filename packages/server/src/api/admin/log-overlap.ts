import type { StoredLogEvent } from '../../logs/log-store.ts';

/**
 * The events of `live` that `stored` does not hold yet. A follower that subscribes before it reads
 * gets what is written in between twice: stream by stream, the first of its live events are then the
 * last of the stored ones. Linear in the number of events, since functions choose what they log.
 */
export function withoutOverlap(
  stored: readonly StoredLogEvent[],
  live: readonly StoredLogEvent[],
): StoredLogEvent[] {
  const storedByStream = Map.groupBy(stored, ({ logStreamName }) => logStreamName);
  const liveByStream = Map.groupBy(live, ({ logStreamName }) => logStreamName);
  const toSkip = new Map<string, number>();
  for (const [name, events] of liveByStream) {
    toSkip.set(name, overlapLength(storedByStream.get(name) ?? [], events));
  }
  return live.filter(({ logStreamName }) => {
    const left = toSkip.get(logStreamName) ?? 0;
    toSkip.set(logStreamName, left - 1);
    return left <= 0;
  });
}

/** Length of the longest beginning of `live` that is an end of `stored` (Knuth, Morris, Pratt). */
function overlapLength(stored: readonly StoredLogEvent[], live: readonly StoredLogEvent[]): number {
  const pattern = live.map(identity);
  const borders = [0];
  for (let i = 1; i < pattern.length; i += 1) {
    borders.push(extend(pattern, borders, borders[i - 1] ?? 0, pattern[i]));
  }
  let length = 0;
  for (const event of stored.slice(-pattern.length)) {
    const from = length === pattern.length ? (borders[length - 1] ?? 0) : length;
    length = extend(pattern, borders, from, identity(event));
  }
  return length;
}

function extend(
  pattern: readonly string[],
  borders: readonly number[],
  from: number,
  next: string | undefined,
): number {
  let length = from;
  while (length > 0 && pattern[length] !== next) length = borders[length - 1] ?? 0;
  return pattern[length] === next ? length + 1 : 0;
}

function identity({ timestampMs, requestId, message }: StoredLogEvent): string {
  return `${timestampMs} ${requestId ?? ''} ${message}`;
}
