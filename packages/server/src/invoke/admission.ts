import type { FunctionIdentity } from '../domain/function.ts';
import { ServiceError } from '../domain/service-error.ts';

/** Counts what runs at once in each account and region, and refuses what is over the limit. */
export class Admission {
  readonly #accountConcurrency: number;
  readonly #running = new Map<string, number>();

  constructor(accountConcurrency: number) {
    this.#accountConcurrency = accountConcurrency;
  }

  /** Takes one unit of the account's concurrency in its region; throws TooManyRequestsException where none is left. */
  enter(identity: FunctionIdentity): void {
    const key = poolKey(identity);
    const running = this.#running.get(key) ?? 0;
    if (running >= this.#accountConcurrency) {
      throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', {
        reason: 'ConcurrentInvocationLimitExceeded',
      });
    }
    this.#running.set(key, running + 1);
  }

  /** Gives back what `enter` took. */
  leave(identity: FunctionIdentity): void {
    const key = poolKey(identity);
    this.#running.set(key, (this.#running.get(key) ?? 1) - 1);
  }
}

/** AWS counts concurrency per account and region. */
function poolKey(identity: FunctionIdentity): string {
  return `${identity.accountId}/${identity.region}`;
}
