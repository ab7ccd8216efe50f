import type { Clock, Timer } from '../../clock/clock.ts';

/** What can be frozen when it has been idle for a moment. */
export interface Freezable {
  /** Changes whenever the thing is used; a count is enough. */
  readonly uses: number;
  freeze(): void;
}

/**
 * Freezes what has been idle for the grace time. Events that follow each other closely are spared
 * the freeze and thaw in between. One timer serves all: who became idle first is due first.
 */
export class IdleFreezer {
  readonly #clock: Clock;
  readonly #graceMs: number;
  #waiting: Waiting[] = [];
  #timer: Timer | undefined;

  constructor(clock: Clock, graceMs: number) {
    this.#clock = clock;
    this.#graceMs = graceMs;
  }

  /** Freezes `subject` after the grace time, unless it is used until then. */
  becameIdle(subject: Freezable): void {
    this.#waiting.push({
      subject,
      uses: subject.uses,
      dueMs: this.#clock.monotonicMs() + this.#graceMs,
    });
    if (this.#timer === undefined) {
      this.#timer = this.#clock.startTimer(this.#graceMs, this.#onDue);
    }
  }

  readonly #onDue = (): void => {
    const nowMs = this.#clock.monotonicMs();
    const left = this.#waiting.findIndex(({ dueMs }) => dueMs > nowMs);
    const due = left === -1 ? this.#waiting : this.#waiting.slice(0, left);
    this.#waiting = left === -1 ? [] : this.#waiting.slice(left);
    const next = this.#waiting[0];
    this.#timer =
      next === undefined ? undefined : this.#clock.startTimer(next.dueMs - nowMs, this.#onDue);
    for (const { subject, uses } of due) if (subject.uses === uses) subject.freeze();
  };
}

interface Waiting {
  readonly subject: Freezable;
  readonly uses: number;
  readonly dueMs: number;
}
