import { randomUUID } from 'node:crypto';
import type { Clock } from '../clock/clock.ts';

/** More than AWS's own headers ever have; longer ones are replaced. */
const MAX_LENGTH = 1_024;
/** Share of invocations that an Active function samples beyond the first of each second. */
const SAMPLED_SHARE = 0.05;

/**
 * Gives each invocation its `X-Amzn-Trace-Id`: the caller's, or a new one. Only functions whose
 * tracing is Active sample on their own, the first call of a second and 5 % of the others.
 */
export class TraceHeaders {
  readonly #clock: Clock;
  #sampledSecond = -1;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `incoming` is the request's header. */
  next(incoming: string | undefined, tracingMode: 'PassThrough' | 'Active'): string {
    if (incoming !== undefined && incoming !== '' && incoming.length <= MAX_LENGTH) return incoming;
    const second = Math.floor(this.#clock.nowMs() / 1_000);
    // UUIDs come from entropy that Node.js keeps ready: half the time of asking for bytes.
    const root = `1-${second.toString(16).padStart(8, '0')}-${randomHex(24)}`;
    const sampled = tracingMode === 'Active' && this.#sample(second);
    return `Root=${root};Parent=${randomHex(16)};Sampled=${sampled ? 1 : 0}`;
  }

  #sample(second: number): boolean {
    if (second !== this.#sampledSecond) {
      this.#sampledSecond = second;
      return true;
    }
    return Math.random() < SAMPLED_SHARE;
  }
}

function randomHex(length: number): string {
  return randomUUID().replaceAll('-', '').slice(-length);
}
