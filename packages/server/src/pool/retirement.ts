import type { FunctionRegistry } from '../domain/function-registry.ts';
import { functionKey, type FunctionIdentity } from '../domain/function.ts';
import type { EnvironmentPool } from './environment-pool.ts';

/** Watches folders of the host. */
export interface FolderWatcher {
  /** Calls `onChange` some time after something in the folder has changed. */
  watch(directory: string, onChange: () => void): { close(): void };
}

/**
 * Ends environments whose code or configuration is no longer the function's: after an update, after
 * a delete, and where a folder that is run in place has changed.
 */
export class Retirement implements Disposable {
  readonly #pool: EnvironmentPool;
  readonly #watcher: FolderWatcher;
  readonly #watched = new Map<string, { directory: string; close(): void }>();
  readonly #unsubscribe: () => void;

  constructor(registry: FunctionRegistry, pool: EnvironmentPool, watcher: FolderWatcher) {
    this.#pool = pool;
    this.#watcher = watcher;
    for (const version of registry.all()) {
      if (version.code.kind === 'hot-reload') this.#watch(version, version.code.directory);
    }
    this.#unsubscribe = registry.onChange((change) => {
      if (change.kind === 'deleted') {
        this.#unwatch(change.identity);
        pool.retire(change.identity, 'deleted');
        return;
      }
      const { version } = change;
      if (version.code.kind === 'hot-reload') this.#watch(version, version.code.directory);
      else this.#unwatch(version);
      pool.retire(version, 'updated', version.generation);
    });
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    for (const watch of this.#watched.values()) watch.close();
    this.#watched.clear();
  }

  #watch(identity: FunctionIdentity, directory: string): void {
    const key = functionKey(identity);
    if (this.#watched.get(key)?.directory === directory) return;
    this.#unwatch(identity);
    const watch = this.#watcher.watch(directory, () => this.#pool.retire(identity, 'updated'));
    this.#watched.set(key, { directory, close: () => watch.close() });
  }

  #unwatch(identity: FunctionIdentity): void {
    const key = functionKey(identity);
    this.#watched.get(key)?.close();
    this.#watched.delete(key);
  }
}
