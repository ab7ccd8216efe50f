import {
  layerKey,
  layerVersionArn,
  type LayerDraft,
  type LayerIdentity,
  type LayerVersion,
} from '../../domain/layer.ts';
import type { LayerStore } from '../layer-store.ts';

/** Layers that end with the process. For tests. */
export class MemoryLayerStore implements LayerStore {
  readonly #versions = new Map<string, LayerVersion>();
  /** The last number given, by layer. */
  readonly #lastNumbers = new Map<string, number>();

  async loadAll(): Promise<LayerVersion[]> {
    return [...this.#versions.values()];
  }

  async publish(draft: LayerDraft): Promise<LayerVersion> {
    const number = (this.#lastNumbers.get(layerKey(draft)) ?? 0) + 1;
    this.#lastNumbers.set(layerKey(draft), number);
    const version = { ...draft, version: number };
    this.#versions.set(layerVersionArn(draft, number), version);
    return version;
  }

  async delete(identity: LayerIdentity, version: number): Promise<boolean> {
    return this.#versions.delete(layerVersionArn(identity, version));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#versions.clear();
  }
}
