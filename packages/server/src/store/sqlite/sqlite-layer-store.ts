import type { LayerDraft, LayerIdentity, LayerVersion } from '../../domain/layer.ts';
import type { LayerStore } from '../layer-store.ts';
import { StoreError } from '../store-error.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

/** Layers in a data folder's database. Does not own the database: whoever opened it closes it. */
export class SqliteLayerStore implements LayerStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async loadAll(): Promise<LayerVersion[]> {
    const rows = this.#database
      .statement('SELECT layer_name, version, settings FROM layer_versions')
      .all();
    return rows.map((row) => ({
      ...this.#parse(String(row.layer_name), String(row.settings)),
      version: Number(row.version),
    }));
  }

  async publish(draft: LayerDraft): Promise<LayerVersion> {
    return this.#database.transaction(() => {
      const row = this.#database
        .statement(
          `INSERT INTO layers (account_id, region, layer_name, last_version) VALUES (?, ?, ?, 1)
           ON CONFLICT DO UPDATE SET last_version = last_version + 1 RETURNING last_version`,
        )
        .get(...key(draft));
      const version = Number(row?.last_version);
      this.#database
        .statement(
          `INSERT INTO layer_versions (account_id, region, layer_name, version, settings)
           VALUES (?, ?, ?, ?, ?)`,
        )
        .run(...key(draft), version, JSON.stringify(draft));
      return { ...draft, version };
    });
  }

  async delete(identity: LayerIdentity, version: number): Promise<boolean> {
    const { changes } = this.#database
      .statement(
        `DELETE FROM layer_versions
         WHERE account_id = ? AND region = ? AND layer_name = ? AND version = ?`,
      )
      .run(...key(identity), version);
    return changes > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every write is committed when it settles: there is nothing left to do.
  }

  #parse(layerName: string, settings: string): LayerDraft {
    try {
      const draft: LayerDraft = JSON.parse(settings);
      return draft;
    } catch (cause) {
      const message = `Cannot read layer ${layerName} from ${this.#database.path} as its row is damaged`;
      throw new StoreError(message, { cause });
    }
  }
}

function key(identity: LayerIdentity): [string, string, string] {
  return [identity.accountId, identity.region, identity.layerName];
}
