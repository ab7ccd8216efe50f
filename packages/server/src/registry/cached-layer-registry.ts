import type { LayerRegistry } from '../domain/layer-registry.ts';
import {
  layerKey,
  type LayerDraft,
  type LayerIdentity,
  type LayerVersion,
} from '../domain/layer.ts';
import type { LayerStore } from '../store/layer-store.ts';

/** All layers in memory, written through to the store: a write settles when it is stored and only then seen. */
export class CachedLayerRegistry implements LayerRegistry {
  readonly #store: LayerStore;
  /** Versions of each layer that has any, the latest first. Replaced, never changed. */
  readonly #layers = new Map<string, readonly LayerVersion[]>();
  readonly #listeners = new Set<() => void>();

  private constructor(store: LayerStore) {
    this.#store = store;
  }

  /** Reads every layer. Rejects with a StoreError where the store cannot be read. */
  static async load(store: LayerStore): Promise<CachedLayerRegistry> {
    const registry = new CachedLayerRegistry(store);
    const loaded = await store.loadAll();
    for (const [key, versions] of Map.groupBy(loaded, layerKey)) {
      registry.#layers.set(key, versions.sort(latestFirst));
    }
    return registry;
  }

  get(identity: LayerIdentity, version: number): LayerVersion | undefined {
    return this.versions(identity).find((candidate) => candidate.version === version);
  }

  versions(identity: LayerIdentity): readonly LayerVersion[] {
    return this.#layers.get(layerKey(identity)) ?? [];
  }

  list(accountId: string, region: string): (readonly LayerVersion[])[] {
    return [...this.#layers.values()]
      .filter(([first]) => first?.accountId === accountId && first.region === region)
      .sort((a, b) => ((a[0]?.layerName ?? '') < (b[0]?.layerName ?? '') ? -1 : 1));
  }

  *all(): Iterable<LayerVersion> {
    for (const versions of this.#layers.values()) yield* versions;
  }

  async publish(draft: LayerDraft): Promise<LayerVersion> {
    const version = await this.#store.publish(draft);
    // Two that were published at once may come back in any order.
    this.#set(draft, [version, ...this.versions(draft)].sort(latestFirst));
    return version;
  }

  async delete(identity: LayerIdentity, version: number): Promise<void> {
    if (!(await this.#store.delete(identity, version))) return;
    this.#set(
      identity,
      this.versions(identity).filter((candidate) => candidate.version !== version),
    );
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #set(identity: LayerIdentity, versions: readonly LayerVersion[]): void {
    if (versions.length === 0) this.#layers.delete(layerKey(identity));
    else this.#layers.set(layerKey(identity), versions);
    for (const listener of this.#listeners) listener();
  }
}

function latestFirst(a: LayerVersion, b: LayerVersion): number {
  return b.version - a.version;
}
