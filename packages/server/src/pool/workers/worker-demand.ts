/** How long an arrival counts. */
const WINDOW_MS = 60_000;
/** How long a kind that nobody has asked for is kept in stock. */
const INTEREST_MS = 600_000;
/** Arrivals that come closer together than this are one burst. */
const BURST_MS = 1_000;

/**
 * How many workers of one kind should be ready: the minimum while the kind is in use, and as many
 * as the largest burst of the last minute took.
 */
export class WorkerDemand {
  readonly #minimum: number;
  /** Bursts of the window, oldest first. */
  #bursts: { readonly startMs: number; arrivals: number }[] = [];
  #interestUntilMs = 0;

  constructor(minimum: number) {
    this.#minimum = minimum;
  }

  /** Somebody may soon come. */
  expect(nowMs: number): void {
    this.#interestUntilMs = nowMs + INTEREST_MS;
  }

  /** Somebody has come, whether or not a worker was ready. */
  arrive(nowMs: number): void {
    this.expect(nowMs);
    const last = this.#bursts.at(-1);
    if (last !== undefined && nowMs - last.startMs < BURST_MS) last.arrivals += 1;
    else this.#bursts.push({ startMs: nowMs, arrivals: 1 });
  }

  wanted(nowMs: number): number {
    if (this.isOver(nowMs)) return 0;
    this.#bursts = this.#bursts.filter(({ startMs }) => nowMs - startMs < WINDOW_MS);
    return this.#bursts.reduce((most, { arrivals }) => Math.max(most, arrivals), this.#minimum);
  }

  /** True where nobody has been interested for long. */
  isOver(nowMs: number): boolean {
    return nowMs >= this.#interestUntilMs;
  }

  /** When `wanted` may sink next, without new arrivals. */
  nextChangeMs(nowMs: number): number {
    if (this.isOver(nowMs)) return nowMs;
    const oldest = this.#bursts[0];
    return oldest === undefined ? this.#interestUntilMs : oldest.startMs + WINDOW_MS;
  }
}
