import type { Clock, Timer } from '../clock/clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { EndReason } from './environment/environment-state.ts';
import type { EnvironmentOwner, PooledEnvironment } from './environment/pooled-environment.ts';

/** How long environments are kept, in milliseconds. */
export interface EnvironmentLimits {
  /** Without an event. */
  readonly keepAliveMs: number;
  /** In all; one that is older when it is freed, or looked at, is ended. */
  readonly maxLifetimeMs: number;
}

/**
 * How long an event waits for an environment that has answered rather than start another: runtimes
 * that talk HTTP ask for the next event a little later than their caller may send it.
 */
const SOON_MS = 50;

type CreateEnvironment<E> = (
  owner: EnvironmentOwner<E>,
  version: FunctionVersion,
  askedMs: number | undefined,
) => E;

/** The environments of one generation of one function: the free ones as a stack, the latest on top. */
export class GenerationPool<E extends PooledEnvironment> implements EnvironmentOwner<E> {
  readonly #clock: Clock;
  readonly #limits: EnvironmentLimits;
  readonly #create: CreateEnvironment<E>;
  readonly #onEmpty: () => void;
  readonly #all = new Set<E>();
  readonly #free: E[] = [];
  readonly #answered = new Set<E>();
  /** Of events that wait for one that has answered. */
  readonly #waiting: (() => void)[] = [];
  #retired: EndReason | undefined;
  #expiry: Timer | undefined;

  constructor(
    clock: Clock,
    limits: EnvironmentLimits,
    create: CreateEnvironment<E>,
    onEmpty: () => void,
  ) {
    this.#clock = clock;
    this.#limits = limits;
    this.#create = create;
    this.#onEmpty = onEmpty;
  }

  /** The environment that was freed last, or a new one; `askedMs` is when its event arrived. */
  take(version: FunctionVersion, askedMs?: number): E {
    for (let free = this.#free.pop(); free !== undefined; free = this.#free.pop()) {
      if (!this.#isOld(free)) return free;
      void free.end('maximum-lifetime');
    }
    const created = this.#create(this, version, askedMs);
    this.#all.add(created);
    return created;
  }

  /**
   * Settles when one that has answered is free, or takes longer than that is worth waiting for.
   * Undefined where one is free already, or where each that has answered is waited for.
   */
  soonFree(): Promise<void> | undefined {
    if (this.#free.length > 0 || this.#answered.size <= this.#waiting.length) return undefined;
    return new Promise((resolve) => {
      const settle = (): void => {
        timer.cancel();
        resolve();
      };
      const timer = this.#clock.startTimer(SOON_MS, () => {
        this.#waiting.splice(this.#waiting.indexOf(settle), 1);
        resolve();
      });
      this.#waiting.push(settle);
    });
  }

  /** Ends the free environments now and the busy ones when they are freed. */
  retire(reason: EndReason): void {
    this.#retired = reason;
    this.#expiry?.cancel();
    for (const settle of this.#waiting.splice(0)) settle();
    for (const environment of this.#free.splice(0)) void environment.end(reason);
  }

  /** The versions that its environments were made from. */
  *versionsInUse(): Iterable<FunctionVersion> {
    for (const environment of this.#all) yield environment.version;
  }

  environments(): Iterable<E> {
    return this.#all;
  }

  async endAll(reason: EndReason): Promise<void> {
    this.retire(reason);
    await Promise.all([...this.#all].map((environment) => environment.end(reason)));
  }

  onAnswered(environment: E): void {
    this.#answered.add(environment);
  }

  onFree(environment: E): void {
    this.#answered.delete(environment);
    this.#waiting.shift()?.();
    if (this.#retired !== undefined) {
      void environment.end(this.#retired);
      return;
    }
    if (this.#isOld(environment)) {
      void environment.end('maximum-lifetime');
      return;
    }
    environment.idleSinceMs = this.#clock.monotonicMs();
    this.#free.push(environment);
    if (this.#expiry === undefined) this.#awaitExpiry(this.#idleLimitMs);
  }

  onEnded(environment: E): void {
    this.#all.delete(environment);
    this.#answered.delete(environment);
    const index = this.#free.indexOf(environment);
    if (index !== -1) this.#free.splice(index, 1);
    if (this.#all.size === 0) {
      this.#expiry?.cancel();
      this.#expiry = undefined;
      this.#onEmpty();
    }
  }

  /** Nothing idle needs to be looked at less often than the shorter of the two says. */
  get #idleLimitMs(): number {
    return Math.min(this.#limits.keepAliveMs, this.#limits.maxLifetimeMs);
  }

  #isOld(environment: E): boolean {
    return this.#clock.monotonicMs() - environment.createdMs >= this.#limits.maxLifetimeMs;
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
    while (oldest !== undefined && nowMs - oldest.idleSinceMs >= this.#idleLimitMs) {
      this.#free.shift();
      void oldest.end(this.#isOld(oldest) ? 'maximum-lifetime' : 'keep-alive');
      oldest = this.#free[0];
    }
    if (oldest !== undefined) this.#awaitExpiry(oldest.idleSinceMs + this.#idleLimitMs - nowMs);
  }
}
