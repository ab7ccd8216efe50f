/** One measured number. */
export interface Figure {
  /** `warm-invoke/1-client/p50` */
  readonly name: string;
  readonly value: number;
  /** `ms`, `µs`, `requests/s`, or `×` for a ratio. */
  readonly unit: string;
  /** Samples that it was taken from. */
  readonly samples?: number;
}

/** A measurement of the real server; takes less than a minute. */
export interface Benchmark {
  readonly name: string;
  readonly what: string;
  /**
   * Tells progress and what could not be measured on `note`. `isWanted` leaves out parts, such as
   * `pooled/node`; a benchmark without parts does not ask.
   */
  run(note: (line: string) => void, isWanted: (part: string) => boolean): Promise<Figure[]>;
}
