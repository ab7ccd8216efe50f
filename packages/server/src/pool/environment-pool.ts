import { functionKey, type FunctionIdentity, type FunctionVersion } from '../domain/function.ts';
import type { EndReason } from './environment/environment-state.ts';
import type { EnvironmentServices } from './environment/environment-services.ts';
import { Environment } from './environment/environment.ts';
import { GenerationPool, type EnvironmentLimits } from './generation-pool.ts';

/**
 * All environments of a server, by the generation of the function they were made for. Finding a free
 * one takes the same time however many functions and environments there are.
 */
export class EnvironmentPool implements AsyncDisposable {
  readonly #services: EnvironmentServices;
  readonly #limits: EnvironmentLimits;
  /** Those that new events may use, by generation. */
  readonly #current = new Map<string, GenerationPool<Environment>>();
  /** Generations in `#current`, by function. */
  readonly #byFunction = new Map<string, Set<string>>();
  /** All that have environments, the retired ones included. */
  readonly #all = new Set<GenerationPool<Environment>>();
  #closed = false;

  constructor(services: EnvironmentServices, limits: EnvironmentLimits) {
    this.#services = services;
    this.#limits = limits;
  }

  /** The environment that was freed last, or a new one, which is still starting. It is the caller's until it is freed. */
  take(version: FunctionVersion, askedMs?: number): Environment {
    if (this.#closed) throw new Error('Cannot take an environment as the pool is closed');
    const pool = this.#current.get(version.generation) ?? this.#open(version);
    return pool.take(version, askedMs);
  }

  /** Settles when an environment of the version is likely to be free; undefined where it is not worth waiting. */
  soonFree(version: FunctionVersion): Promise<void> | undefined {
    return this.#current.get(version.generation)?.soonFree();
  }

  /** Ends the function's environments: free ones now, busy ones after their event. Later events get new ones. */
  retire(identity: FunctionIdentity, reason: EndReason, exceptGeneration?: string): void {
    const key = functionKey(identity);
    for (const generation of this.#byFunction.get(key) ?? []) {
      if (generation === exceptGeneration) continue;
      const pool = this.#current.get(generation);
      this.#forget(key, generation);
      pool?.retire(reason);
    }
  }

  /** The versions that environments were made from, those about to end included. */
  *versionsInUse(): Iterable<FunctionVersion> {
    for (const pool of this.#all) yield* pool.versionsInUse();
  }

  /** All environments there are, those about to end included. */
  *environments(): Generator<Environment> {
    for (const pool of this.#all) yield* pool.environments();
  }

  /** Ends every environment, also those that run an event. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#all].map((pool) => pool.endAll('shutdown')));
  }

  #open(version: FunctionVersion): GenerationPool<Environment> {
    const key = functionKey(version);
    const { generation } = version;
    const pool = new GenerationPool<Environment>(
      this.#services.clock,
      this.#limits,
      (owner, of, askedMs) => new Environment(of, this.#services, owner, askedMs),
      () => {
        this.#all.delete(pool);
        if (this.#current.get(generation) === pool) this.#forget(key, generation);
      },
    );
    this.#all.add(pool);
    this.#current.set(generation, pool);
    const siblings = this.#byFunction.get(key);
    if (siblings === undefined) this.#byFunction.set(key, new Set([generation]));
    else siblings.add(generation);
    return pool;
  }

  #forget(key: string, generation: string): void {
    this.#current.delete(generation);
    const siblings = this.#byFunction.get(key);
    siblings?.delete(generation);
    if (siblings?.size === 0) this.#byFunction.delete(key);
  }
}
