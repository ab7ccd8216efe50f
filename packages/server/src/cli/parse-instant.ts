import { UsageError } from './command.ts';

const UNIT_MS: Readonly<Record<string, number>> = {
  s: 1_000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `10m` is ten minutes before `nowMs`; an ISO 8601 time is itself. Epoch milliseconds. Throws UsageError. */
export function parseInstant(text: string, nowMs: number): number {
  const [, count, unit] = /^(\d{1,6})([smhd])$/.exec(text) ?? [];
  if (count !== undefined && unit !== undefined) {
    return Math.max(0, nowMs - Number(count) * (UNIT_MS[unit] ?? 0));
  }
  const instantMs = /^\d{4}-\d{2}-\d{2}/.test(text) ? Date.parse(text) : Number.NaN;
  if (instantMs >= 0) return instantMs;
  throw new UsageError(
    `Cannot read since as it must be a duration such as 10m or an ISO time: received ${JSON.stringify(text)}`,
  );
}
