/** A turn to start something; it may be given up for a while. */
export interface StartSlot {
  /** Lets the next one start; repeated calls do nothing. */
  leave(): void;
  /** Settles when it is this one's turn again; at once where it still is. */
  enter(): Promise<void>;
}

/**
 * Lets a bounded number of starts run at once, first come first served. Booting a runtime is CPU
 * work: more of them at once than the machine has cores only makes each one slower, until all of
 * them exceed the init limit.
 */
export class StartGate {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  /** True where nobody waits and a slot is free: somebody who is in no hurry may start too. */
  get isIdle(): boolean {
    return this.#free > 0;
  }

  /** Settles when it is the caller's turn. Who gets a slot must leave it. */
  async enter(): Promise<StartSlot> {
    await this.#wait();
    let held = true;
    return {
      leave: () => {
        if (held) this.#giveBack();
        held = false;
      },
      enter: async () => {
        if (held) return;
        await this.#wait();
        held = true;
      },
    };
  }

  async #wait(): Promise<void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  #giveBack(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free += 1;
    else next();
  }
}
