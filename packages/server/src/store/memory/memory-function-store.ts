import { functionKey, type FunctionIdentity, type FunctionVersion } from '../../domain/function.ts';
import type { FunctionStore } from '../function-store.ts';

/** Functions that end with the process. For tests. */
export class MemoryFunctionStore implements FunctionStore {
  readonly #functions = new Map<string, FunctionVersion>();

  async loadAll(): Promise<FunctionVersion[]> {
    return [...this.#functions.values()];
  }

  async insert(version: FunctionVersion): Promise<boolean> {
    const key = functionKey(version);
    if (this.#functions.has(key)) return false;
    this.#functions.set(key, version);
    return true;
  }

  async replace(version: FunctionVersion, expectedRevisionId: string): Promise<boolean> {
    const key = functionKey(version);
    if (this.#functions.get(key)?.revisionId !== expectedRevisionId) return false;
    this.#functions.set(key, version);
    return true;
  }

  async delete(identity: FunctionIdentity): Promise<boolean> {
    return this.#functions.delete(functionKey(identity));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#functions.clear();
  }
}
