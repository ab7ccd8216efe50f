import type { Clock, Timer } from '../clock/clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { EndReason } from './environment-state.ts';

/** What the pool needs of an environment. */
export interface PooledEnvironment {
  readonly version: FunctionVersion;
  /** When it was freed last, on the clock's monotonic scale; kept by the pool. */
  idleSinceMs: number;
  /** Ends it; its owner's `onEnded` is called when it is gone. Never rejects. */
  end(reason: EndReason): Promise<void>;
}

/** Who is told that an environment can take the next event, or never will again. */
export interface EnvironmentOwner<E> {
  onFree(environment: E): void;
  onEnded(environment: E): void;
}

/** The environments of one generation of one function: the free ones as a stack, the latest on top. */
export class GenerationPool<E extends PooledEnvironment> implements EnvironmentOwner<E> {
  readonly #clock: Clock;
  readonly #keepAliveMs: number;
  readonly #create: (owner: EnvironmentOwner<E>, version: FunctionVersion) => E;
  readonly #onEmpty: () => void;
  readonly #all = new Set<E>();
  readonly #free: E[] = [];
  #retired: EndReason | undefined;
  #expiry: Timer | undefined;

  constructor(
    clock: Clock,
    keepAliveMs: number,
    create: (owner: EnvironmentOwner<E>, version: FunctionVersion) => E,
    onEmpty: () => void,
  ) {
    this.#clock = clock;
    this.#keepAliveMs = keepAliveMs;
    this.#create = create;
    this.#onEmpty = onEmpty;
  }

  /** The environment that was freed last, or a new one. */
  take(version: FunctionVersion): E {
    const free = this.#free.pop();
    if (free !== undefined) return free;
    const created = this.#create(this, version);
    this.#all.add(created);
    return created;
  }

  /** Ends the free environments now and the busy ones when they are freed. */
  retire(reason: EndReason): void {
    this.#retired = reason;
    this.#expiry?.cancel();
    for (const environment of this.#free.splice(0)) void environment.end(reason);
  }

  /** The versions that its environments were made from. */
  *versionsInUse(): Iterable<FunctionVersion> {
    for (const environment of this.#all) yield environment.version;
  }

  async endAll(reason: EndReason): Promise<void> {
    this.retire(reason);
    await Promise.all([...this.#all].map((environment) => environment.end(reason)));
  }

  onFree(environment: E): void {
    if (this.#retired !== undefined) {
      void environment.end(this.#retired);
      return;
    }
    environment.idleSinceMs = this.#clock.monotonicMs();
    this.#free.push(environment);
    if (this.#expiry === undefined) this.#awaitExpiry(this.#keepAliveMs);
  }

  onEnded(environment: E): void {
    this.#all.delete(environment);
    const index = this.#free.indexOf(environment);
    if (index !== -1) this.#free.splice(index, 1);
    if (this.#all.size === 0) {
      this.#expiry?.cancel();
      this.#expiry = undefined;
      this.#onEmpty();
    }
  }

  /** One timer for all: the stack's bottom has been idle longest. */
  #awaitExpiry(delayMs: number): void {
    this.#expiry = this.#clock.startTimer(delayMs, () => {
      this.#expiry = undefined;
      this.#endExpired();
    });
  }

  #endExpired(): void {
    const nowMs = this.#clock.monotonicMs();
    let oldest = this.#free[0];
    while (oldest !== undefined && nowMs - oldest.idleSinceMs >= this.#keepAliveMs) {
      this.#free.shift();
      void oldest.end('keep-alive');
      oldest = this.#free[0];
    }
    if (oldest !== undefined) this.#awaitExpiry(oldest.idleSinceMs + this.#keepAliveMs - nowMs);
  }
}
