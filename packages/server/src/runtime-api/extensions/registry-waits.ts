import type { ExtensionFailure } from './extension-failure.ts';

interface Wait {
  readonly holds: () => boolean;
  readonly wait: PromiseWithResolvers<void>;
}

/** Waits for conditions that change with the moves of extensions, until one of them fails. */
export class RegistryWaits {
  readonly #failure = Promise.withResolvers<ExtensionFailure>();
  #failed = false;
  #pending: Wait[] = [];

  get failure(): Promise<ExtensionFailure> {
    return this.#failure.promise;
  }

  /** Settles once the condition holds; never, where a failure comes or came before. */
  until(holds: () => boolean): Promise<void> {
    const wait = Promise.withResolvers<void>();
    // Who has stopped waiting must not make an abandoned wait an unhandled rejection.
    wait.promise.catch(() => {});
    if (!this.#failed) {
      this.#pending.push({ holds, wait });
      this.settle();
    }
    return wait.promise;
  }

  /** To be called after every move. */
  settle(): void {
    this.#pending = this.#pending.filter(({ holds, wait }) => {
      if (!holds()) return true;
      wait.resolve();
      return false;
    });
  }

  fail(failure: ExtensionFailure): void {
    this.#failed = true;
    this.#pending = [];
    this.#failure.resolve(failure);
  }

  abandon(): void {
    const error = new Error('The extensions of the environment are gone');
    for (const { wait } of this.#pending.splice(0)) wait.reject(error);
  }
}
