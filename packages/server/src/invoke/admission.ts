import { ServiceError } from '../domain/service-error.ts';

/** Counts what runs at once in each account and refuses what is over the limit. */
export class Admission {
  readonly #accountConcurrency: number;
  readonly #running = new Map<string, number>();

  constructor(accountConcurrency: number) {
    this.#accountConcurrency = accountConcurrency;
  }

  /** Takes one unit of the account's concurrency; throws TooManyRequestsException where none is left. */
  enter(accountId: string): void {
    const running = this.#running.get(accountId) ?? 0;
    if (running >= this.#accountConcurrency) {
      throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', {
        reason: 'ConcurrentInvocationLimitExceeded',
      });
    }
    this.#running.set(accountId, running + 1);
  }

  /** Gives back what `enter` took. */
  leave(accountId: string): void {
    this.#running.set(accountId, (this.#running.get(accountId) ?? 1) - 1);
  }
}
