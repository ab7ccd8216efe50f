import type { LayerDraft, LayerIdentity, LayerVersion } from './layer.ts';

/**
 * The layers of this server, in memory and durable behind it. Every write settles only after it is
 * stored.
 */
export interface LayerRegistry {
  get(identity: LayerIdentity, version: number): LayerVersion | undefined;
  /** The versions of a layer, the latest first; none where there is no such layer. */
  versions(identity: LayerIdentity): readonly LayerVersion[];
  /** The versions of each layer of an account and region, the latest first; layers by name, ascending. */
  list(accountId: string, region: string): (readonly LayerVersion[])[];
  /** Every version on the server; for cleaning up. */
  all(): Iterable<LayerVersion>;
  /** Stores a version under the layer's next number. */
  publish(draft: LayerDraft): Promise<LayerVersion>;
  /** Deletes a version; where there is none, nothing happens. */
  delete(identity: LayerIdentity, version: number): Promise<void>;
  /** Calls `listener` after each stored change; the returned function ends it. */
  onChange(listener: () => void): () => void;
}
