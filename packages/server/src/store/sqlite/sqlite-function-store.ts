import type { FunctionIdentity, FunctionVersion } from '../../domain/function.ts';
import type { FunctionStore } from '../function-store.ts';
import { StoreError } from '../store-error.ts';
import type { SqliteDatabase } from './sqlite-database.ts';

const LATEST = '$LATEST';

/** Functions in a data folder's database. Does not own the database: whoever opened it closes it. */
export class SqliteFunctionStore implements FunctionStore {
  readonly #database: SqliteDatabase;

  constructor(database: SqliteDatabase) {
    this.#database = database;
  }

  async loadAll(): Promise<FunctionVersion[]> {
    const rows = this.#database
      .statement('SELECT function_name, settings FROM functions WHERE version = ?')
      .all(LATEST);
    return rows.map((row) => this.#parse(String(row.function_name), String(row.settings)));
  }

  async insert(version: FunctionVersion): Promise<boolean> {
    const { changes } = this.#database
      .statement(
        `INSERT INTO functions (account_id, region, function_name, version, revision_id, settings)
         VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`,
      )
      .run(...key(version), LATEST, version.revisionId, JSON.stringify(version));
    return changes === 1;
  }

  async replace(version: FunctionVersion, expectedRevisionId: string): Promise<boolean> {
    const { changes } = this.#database
      .statement(
        `UPDATE functions SET revision_id = ?, settings = ?
         WHERE account_id = ? AND region = ? AND function_name = ? AND version = ? AND revision_id = ?`,
      )
      .run(
        version.revisionId,
        JSON.stringify(version),
        ...key(version),
        LATEST,
        expectedRevisionId,
      );
    return changes === 1;
  }

  async delete(identity: FunctionIdentity): Promise<boolean> {
    const { changes } = this.#database
      .statement('DELETE FROM functions WHERE account_id = ? AND region = ? AND function_name = ?')
      .run(...key(identity));
    return changes > 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // Every write is committed when it settles: there is nothing left to do.
  }

  #parse(functionName: string, settings: string): FunctionVersion {
    try {
      const version: FunctionVersion = JSON.parse(settings);
      return version;
    } catch (cause) {
      const message = `Cannot read function ${functionName} from ${this.#database.path} as its row is damaged`;
      throw new StoreError(message, { cause });
    }
  }
}

function key(identity: FunctionIdentity): [string, string, string] {
  return [identity.accountId, identity.region, identity.functionName];
}
