import { functionKey, type FunctionIdentity, type FunctionVersion } from '../domain/function.ts';
import type { EndReason } from './environment-state.ts';
import { Environment, type EnvironmentServices } from './environment.ts';
import { GenerationPool } from './generation-pool.ts';

/**
 * All environments of a server, by the generation of the function they were made for. Finding a free
 * one takes the same time however many functions and environments there are.
 */
export class EnvironmentPool implements AsyncDisposable {
  readonly #services: EnvironmentServices;
  readonly #keepAliveMs: number;
  readonly #generations = new Map<string, GenerationPool<Environment>>();
  /** Generations that have environments, by function. */
  readonly #byFunction = new Map<string, Set<string>>();
  #closed = false;

  constructor(services: EnvironmentServices, keepAliveMs: number) {
    this.#services = services;
    this.#keepAliveMs = keepAliveMs;
  }

  /** The environment that was freed last, or a new one, which is still starting. It is the caller's until it is freed. */
  take(version: FunctionVersion): Environment {
    if (this.#closed) throw new Error('Cannot take an environment as the pool is closed');
    return this.#generation(version).take(version);
  }

  /** Ends the function's environments: free ones now, busy ones after their event. */
  retire(identity: FunctionIdentity, reason: EndReason, exceptGeneration?: string): void {
    for (const generation of [...(this.#byFunction.get(functionKey(identity)) ?? [])]) {
      if (generation !== exceptGeneration) this.#generations.get(generation)?.retire(reason);
    }
  }

  /** Ends every environment, also those that run an event. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.all([...this.#generations.values()].map((pool) => pool.endAll('shutdown')));
  }

  #generation(version: FunctionVersion): GenerationPool<Environment> {
    const existing = this.#generations.get(version.generation);
    if (existing !== undefined) return existing;
    const key = functionKey(version);
    const created = new GenerationPool<Environment>(
      this.#services.clock,
      this.#keepAliveMs,
      (owner, of) => new Environment(of, this.#services, owner),
      () => this.#forget(key, version.generation),
    );
    this.#generations.set(version.generation, created);
    const siblings = this.#byFunction.get(key);
    if (siblings === undefined) this.#byFunction.set(key, new Set([version.generation]));
    else siblings.add(version.generation);
    return created;
  }

  #forget(key: string, generation: string): void {
    this.#generations.delete(generation);
    const siblings = this.#byFunction.get(key);
    siblings?.delete(generation);
    if (siblings?.size === 0) this.#byFunction.delete(key);
  }
}
