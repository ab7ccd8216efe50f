/**
 * The value that `share` (0 to 1) of the samples do not exceed, by the nearest rank, so it is always
 * one that was measured. NaN without samples.
 */
export function percentile(samples: readonly number[], share: number): number {
  const sorted = samples.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil(share * sorted.length));
  return sorted[rank - 1] ?? Number.NaN;
}
