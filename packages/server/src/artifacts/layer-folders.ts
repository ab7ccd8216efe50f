import { createHash } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { LayerReference } from '../domain/layer.ts';
import type { CodeStore } from './code-store.ts';
import { KeyedFolders, type KeyedFoldersOptions } from './keyed-folders.ts';
import { mergeTrees } from './merge-trees.ts';

export interface LayerFoldersOptions extends KeyedFoldersOptions {
  /** Where the layers' archives were unpacked. */
  readonly codeStore: Pick<CodeStore, 'directory'>;
}

type Layers = readonly LayerReference[];

/**
 * The folders that functions see at `/opt`: a single layer's own, or several merged in their order,
 * once for all functions with the same content in the same order, in `<root>/<key>/opt`.
 */
export class LayerFolders {
  readonly #folders: KeyedFolders;
  readonly #codeStore: LayerFoldersOptions['codeStore'];
  /** Keys of merged folders that are known to be there. */
  readonly #ready = new Set<string>();

  private constructor(folders: KeyedFolders, codeStore: LayerFoldersOptions['codeStore']) {
    this.#folders = folders;
    this.#codeStore = codeStore;
  }

  /** Makes the root and removes what an earlier server left half done. */
  static async open(options: LayerFoldersOptions): Promise<LayerFolders> {
    return new LayerFolders(await KeyedFolders.open(options), options.codeStore);
  }

  /**
   * Merges the layers, at deploy. `retain` then spares the result for a while, so that the caller has
   * time to write down that it is in use. Rejects with an InvalidParameterValueException where they
   * cannot be merged.
   */
  async prepare(layers: Layers): Promise<void> {
    if (layers.length > 1) await this.#merge(layers, keyOf(layers));
  }

  /**
   * The folder for `/opt`, absolute and read-only; undefined where there are no layers. Merges anew
   * what is not there any more; otherwise no disk is waited for.
   */
  async folder(layers: Layers): Promise<string | undefined> {
    const [first] = layers;
    if (first === undefined) return undefined;
    if (layers.length === 1) return this.#codeStore.directory(first.sha256);
    const key = keyOf(layers);
    if (!this.#ready.has(key)) await this.#merge(layers, key);
    return this.#path(key);
  }

  /** Removes every merged folder that none of `used` needs; may spare what was just prepared. */
  async retain(used: Iterable<Layers>): Promise<void> {
    const kept = new Set<string>();
    for (const layers of used) if (layers.length > 1) kept.add(keyOf(layers));
    for (const key of this.#ready) if (!kept.has(key)) this.#ready.delete(key);
    await this.#folders.retain(kept);
  }

  async #merge(layers: Layers, key: string): Promise<void> {
    const sources = layers.map(({ sha256 }) => this.#codeStore.directory(sha256));
    await this.#folders.ensure(key, async (staging) => {
      const opt = join(staging, 'opt');
      await mkdir(opt, 0o755);
      await mergeTrees(sources, opt);
    });
    this.#ready.add(key);
  }

  #path(key: string): string {
    return join(this.#folders.path(key), 'opt');
  }
}

/** The content in its order; names and numbers of the layers do not matter. */
function keyOf(layers: Layers): string {
  const hashes = layers.map(({ sha256 }) => sha256).join('\n');
  return createHash('sha256').update(hashes).digest('hex');
}
