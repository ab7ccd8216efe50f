import { constants } from 'node:os';

type StopSignal = 'SIGINT' | 'SIGTERM' | 'SIGHUP';

const SIGNALS: readonly StopSignal[] = ['SIGINT', 'SIGTERM', 'SIGHUP'];

/**
 * One Ctrl-C reaches a program more than once where something that started it (npm, a launcher)
 * passes on what the terminal has sent to everybody already. A person's second one comes later.
 */
const ECHO_MS = 300;

/** Waits for the first request to stop. The second one ends the process at once, with code 128 + n. */
export class StopSignals implements Disposable {
  /** Settles with the first signal; also when the launcher that started this process is gone. */
  readonly first: Promise<void>;
  readonly #stop = Promise.withResolvers<void>();
  #firstMs: number | undefined;
  /** Waiting for a signal does not by itself keep a process alive. */
  readonly #wakefulness = setInterval(() => undefined, 2 ** 30);

  constructor() {
    this.first = this.#stop.promise;
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    process.on('disconnect', this.#onDisconnect);
  }

  [Symbol.dispose](): void {
    clearInterval(this.#wakefulness);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    process.off('disconnect', this.#onDisconnect);
  }

  readonly #onSignal = (signal: NodeJS.Signals): void => {
    const nowMs = performance.now();
    if (this.#firstMs === undefined) {
      this.#firstMs = nowMs;
      this.#stop.resolve();
    } else if (nowMs - this.#firstMs > ECHO_MS) {
      process.exit(128 + constants.signals[signal]);
    }
  };

  readonly #onDisconnect = (): void => this.#stop.resolve();
}
