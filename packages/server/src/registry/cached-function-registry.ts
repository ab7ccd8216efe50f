import type { FunctionChange, FunctionRegistry } from '../domain/function-registry.ts';
import {
  functionArn,
  functionKey,
  type FunctionIdentity,
  type FunctionVersion,
} from '../domain/function.ts';
import { ServiceError } from '../domain/service-error.ts';
import { staleRevision } from '../domain/stale-revision.ts';
import type { FunctionStore } from '../store/function-store.ts';

/**
 * All functions in memory, written through to the store: a read never waits, a write settles when it
 * is stored and only then seen. Writes to one function happen one after the other, so that memory
 * follows the store's order.
 */
export class CachedFunctionRegistry implements FunctionRegistry {
  readonly #store: FunctionStore;
  readonly #functions = new Map<string, FunctionVersion>();
  /** Names in order, by account and region; made when asked for and dropped when names change. */
  readonly #listings = new Map<string, FunctionVersion[]>();
  /** The last write of each function that is being written. */
  readonly #writes = new Map<string, Promise<unknown>>();
  readonly #listeners = new Set<(change: FunctionChange) => void>();

  private constructor(store: FunctionStore) {
    this.#store = store;
  }

  /** Reads every function. Rejects with a StoreError where the store cannot be read. */
  static async load(store: FunctionStore): Promise<CachedFunctionRegistry> {
    const registry = new CachedFunctionRegistry(store);
    for (const version of await store.loadAll()) {
      registry.#functions.set(functionKey(version), version);
    }
    return registry;
  }

  get(identity: FunctionIdentity): FunctionVersion | undefined {
    return this.#functions.get(functionKey(identity));
  }

  list(accountId: string, region: string): FunctionVersion[] {
    const key = `${accountId}/${region}`;
    let listing = this.#listings.get(key);
    if (listing === undefined) {
      listing = [...this.#functions.values()]
        .filter((version) => version.accountId === accountId && version.region === region)
        .sort((a, b) => (a.functionName < b.functionName ? -1 : 1));
      // A caller may name any account and region: only those with functions are remembered.
      if (listing.length > 0) this.#listings.set(key, listing);
    }
    return [...listing];
  }

  all(): Iterable<FunctionVersion> {
    return this.#functions.values();
  }

  insert(version: FunctionVersion): Promise<void> {
    return this.#write(version, async () => {
      if (this.get(version) !== undefined || !(await this.#store.insert(version))) {
        throw new ServiceError(
          'ResourceConflictException',
          `Function already exist: ${version.functionName}`,
        );
      }
      this.#apply({ kind: 'changed', version });
    });
  }

  replace(version: FunctionVersion, expectedRevisionId: string): Promise<void> {
    return this.#write(version, async () => {
      const current = this.get(version);
      if (current === undefined) throw notFound(version);
      const isCurrent = current.revisionId === expectedRevisionId;
      if (!isCurrent || !(await this.#store.replace(version, expectedRevisionId))) {
        throw staleRevision();
      }
      this.#apply({ kind: 'changed', version });
    });
  }

  delete(identity: FunctionIdentity): Promise<void> {
    return this.#write(identity, async () => {
      if (this.get(identity) === undefined || !(await this.#store.delete(identity))) {
        throw notFound(identity);
      }
      const { accountId, region, functionName } = identity;
      this.#apply({ kind: 'deleted', identity: { accountId, region, functionName } });
    });
  }

  onChange(listener: (change: FunctionChange) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #apply(change: FunctionChange): void {
    const identity = change.kind === 'changed' ? change.version : change.identity;
    if (change.kind === 'changed') this.#functions.set(functionKey(identity), change.version);
    else this.#functions.delete(functionKey(identity));
    this.#listings.delete(`${identity.accountId}/${identity.region}`);
    for (const listener of this.#listeners) listener(change);
  }

  async #write(identity: FunctionIdentity, write: () => Promise<void>): Promise<void> {
    const key = functionKey(identity);
    const previous = this.#writes.get(key) ?? Promise.resolve();
    // The previous write's failure is its own caller's.
    const own = previous.then(write, write);
    this.#writes.set(key, own);
    try {
      await own;
    } finally {
      if (this.#writes.get(key) === own) this.#writes.delete(key);
    }
  }
}

function notFound(identity: FunctionIdentity): ServiceError {
  return new ServiceError(
    'ResourceNotFoundException',
    `Function not found: ${functionArn(identity)}`,
  );
}
