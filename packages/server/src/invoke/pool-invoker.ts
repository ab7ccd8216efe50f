import type { Clock } from '../clock/clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { Invocation, Outcome } from '../domain/invocation.ts';
import { ServiceError } from '../domain/service-error.ts';
import type { EnvironmentPool } from '../pool/environment-pool.ts';
import type { Admission } from './admission.ts';
import type { Invoker } from './invoker.ts';

/** Admits an event, takes an environment for it and runs it there. */
export class PoolInvoker implements Invoker {
  readonly #admission: Admission;
  readonly #pool: EnvironmentPool;
  #running = 0;
  #closing = false;
  #onIdle: (() => void) | undefined;

  constructor(admission: Admission, pool: EnvironmentPool) {
    this.#admission = admission;
    this.#pool = pool;
  }

  async invoke(version: FunctionVersion, invocation: Invocation): Promise<Outcome> {
    if (this.#closing) throw new ServiceError('ServiceException', 'The server is shutting down.');
    this.#admission.enter(version);
    this.#running += 1;
    try {
      const soon = this.#pool.soonFree(version);
      if (soon !== undefined) await soon;
      return await this.#pool.take(version, invocation.arrivedMs).invoke(invocation);
    } finally {
      this.#running -= 1;
      this.#admission.leave(version);
      if (this.#running === 0) this.#onIdle?.();
    }
  }

  /**
   * Refuses new events and settles when the last one has ended, also one whose caller has hung up, or
   * after `limitMs`.
   */
  async drain(clock: Clock, limitMs: number): Promise<void> {
    this.#closing = true;
    if (this.#running === 0) return;
    await new Promise<void>((resolve) => {
      const timer = clock.startTimer(limitMs, resolve);
      this.#onIdle = () => {
        timer.cancel();
        resolve();
      };
    });
  }
}
