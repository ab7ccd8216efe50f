/** Files that are worked on at once; Node's thread pool has four threads. */
const FILES_AT_ONCE = 8;

/** Runs `action` over all items, a few at once. The first failure stops the rest and is thrown. */
export async function eachAtOnce<T>(
  items: readonly T[],
  action: (item: T, signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const stop = new AbortController();
  const remaining = items.values();
  const worker = async (): Promise<void> => {
    for (const item of remaining) {
      if (stop.signal.aborted) return;
      try {
        await action(item, stop.signal);
      } catch (error) {
        stop.abort(error);
      }
    }
  };
  await Promise.all(Array.from({ length: FILES_AT_ONCE }, worker));
  // The reason is the first failure: aborting again changes nothing.
  stop.signal.throwIfAborted();
}
