import type { LayerDraft, LayerIdentity, LayerVersion } from '../domain/layer.ts';

/**
 * The durable registry of layers. Writes settle after they are safe on disk. The port is written so
 * that a database shared by several servers can implement it: the store gives the numbers.
 */
export interface LayerStore extends AsyncDisposable {
  /** Every version of every layer, for the registry's start. */
  loadAll(): Promise<LayerVersion[]>;
  /** Stores a version under the layer's next number, which no version of it has ever had. */
  publish(draft: LayerDraft): Promise<LayerVersion>;
  /** False where there is no such version. */
  delete(identity: LayerIdentity, version: number): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}
