import type { CodeCacheStore } from '../artifacts/code-cache-store.ts';
import type { CodeStore } from '../artifacts/code-store.ts';
import type { LayerFolders } from '../artifacts/layer-folders.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import type { FunctionRegistry } from '../domain/function-registry.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { LayerRegistry } from '../domain/layer-registry.ts';
import { codeCacheFunction } from './launch/code-cache-key.ts';
import type { EnvironmentPool } from './environment-pool.ts';

/** Pause after a change, so that many updates in a row are followed by one look. */
const DELAY_MS = 5_000;

export interface CodeCollectorOptions {
  readonly registry: Pick<FunctionRegistry, 'all' | 'onChange'>;
  readonly layers: Pick<LayerRegistry, 'all' | 'onChange'>;
  readonly pool: Pick<EnvironmentPool, 'versionsInUse'>;
  readonly codeStore: Pick<CodeStore, 'retain'>;
  readonly layerFolders: Pick<LayerFolders, 'retain'>;
  readonly codeCaches: Pick<CodeCacheStore, 'retain'>;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/**
 * Removes code, with what was compiled from it, and layers that no function, no living environment and no published layer version
 * needs any more. What a function uses of a layer outlives the layer version.
 */
export class CodeCollector implements Disposable {
  readonly #options: CodeCollectorOptions;
  readonly #unsubscribe: readonly (() => void)[];
  #timer: Timer | undefined;

  constructor(options: CodeCollectorOptions) {
    this.#options = options;
    const onChange = (): void => this.#schedule();
    this.#unsubscribe = [options.registry.onChange(onChange), options.layers.onChange(onChange)];
    this.#schedule();
  }

  [Symbol.dispose](): void {
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer ??= this.#options.clock.startTimer(DELAY_MS, () => {
      this.#timer = undefined;
      this.#collect();
    });
  }

  #collect(): void {
    const { codeStore, layerFolders, codeCaches, layers, onFault } = this.#options;
    const versions = this.#versionsInUse();
    const archives = new Set<string>();
    for (const { code, layers: used = [] } of versions) {
      if (code.kind === 'archive') archives.add(code.sha256);
      for (const { sha256 } of used) archives.add(sha256);
    }
    for (const { sha256 } of layers.all()) archives.add(sha256);
    codeStore.retain(archives).catch(onFault);
    layerFolders.retain(versions.map(({ layers: used = [] }) => used)).catch(onFault);
    codeCaches.retain(
      new Set(versions.map(codeCacheFunction).filter((part) => part !== undefined)),
    );
  }

  #versionsInUse(): FunctionVersion[] {
    const { registry, pool } = this.#options;
    return [...registry.all(), ...pool.versionsInUse()];
  }
}
