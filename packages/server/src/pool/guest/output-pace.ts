import { setImmediate as nextLoopTurn } from 'node:timers/promises';
import type { Clock } from '../../clock/clock.ts';

/** So much work is done at a time, before others have their turn. */
const SLICE_MS = 0.5;
/** Work that may be done at once after a pause: ordinary output never waits. */
const BURST_MS = 20;
/** Of one core, while a guest prints without end. */
const SHARE = 0.2;
/** What becomes of it later, in the log, is work as well: 5 ms for a megabyte, 3 µs for a message. */
const MS_PER_BYTE = 5e-6;
const MS_PER_MESSAGE = 3e-3;

/**
 * How fast the server handles what one guest prints. A guest that prints faster waits in its own
 * writes: it must not keep the server from serving others, however costly its lines are.
 */
export class OutputPace {
  readonly #clock: Clock;
  /** Time that work has taken and that has not been made up for by pauses yet. */
  #debtMs = 0;
  #debtAtMs: number;
  #isLifted = false;

  constructor(clock: Clock) {
    this.#clock = clock;
    this.#debtAtMs = clock.monotonicMs();
  }

  /** From now on only turns are taken: the guest is gone, so that little can still come. */
  lift(): void {
    this.#isLifted = true;
  }

  /** True where a pause is due before the next slice. */
  get isInDebt(): boolean {
    return !this.#isLifted && this.#debtMs > BURST_MS;
  }

  /** Bytes have come in that are to be handled. */
  received(bytes: number): void {
    this.#debtMs += bytes * MS_PER_BYTE;
  }

  /** A message has been made of them. */
  handedOn(): void {
    this.#debtMs += MS_PER_MESSAGE;
  }

  /** Does `step` as long as it says that there is more, for a short time; true where there still is. */
  slice(step: () => boolean): boolean {
    const startedMs = this.#clock.monotonicMs();
    let nowMs: number;
    let isMore: boolean;
    do {
      isMore = step();
      nowMs = this.#clock.monotonicMs();
    } while (isMore && nowMs - startedMs < SLICE_MS);
    this.#makeUp(startedMs);
    this.#debtMs += nowMs - startedMs;
    return isMore;
  }

  /** Settles when the next slice may be done. */
  async turn(): Promise<void> {
    this.#makeUp(this.#clock.monotonicMs());
    if (!this.isInDebt) {
      await nextLoopTurn();
      return;
    }
    await new Promise<void>((resolve) => {
      this.#clock.startTimer((this.#debtMs - BURST_MS) / SHARE, resolve);
    });
    this.#makeUp(this.#clock.monotonicMs());
  }

  #makeUp(nowMs: number): void {
    this.#debtMs = Math.max(0, this.#debtMs - (nowMs - this.#debtAtMs) * SHARE);
    this.#debtAtMs = nowMs;
  }
}
