import { mkdirSync } from 'node:fs';
import { dirname } from 'node:path';
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { StoreError } from '../store-error.ts';
import { MIGRATIONS } from './migrations.ts';

/** "HRTH": tells our files from other programs' databases. */
const APPLICATION_ID = 0x48_52_54_48;

/** SQLite's result codes, without the extension in the upper bits. */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;

/**
 * The database file of a data folder, open for this server alone until it is closed: that is the
 * lock of the whole folder, and it ends with the process, however that ends. A commit is on disk
 * before it returns.
 */
export class SqliteDatabase implements Disposable {
  readonly path: string;
  readonly #database: DatabaseSync;
  readonly #statements = new Map<string, StatementSync>();

  private constructor(path: string, database: DatabaseSync) {
    this.path = path;
    this.#database = database;
  }

  /**
   * Opens the file, makes it where there is none, and brings an older schema up to date. Throws a
   * StoreError where another server has it open, or where it is damaged, newer or not ours; then
   * the file is left as it was.
   */
  static open(path: string): SqliteDatabase {
    let database: DatabaseSync | undefined;
    try {
      mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
      database = new DatabaseSync(path, { timeout: 0 });
      prepareFile(path, database);
      return new SqliteDatabase(path, database);
    } catch (error) {
      if (database?.isOpen === true) database.close();
      throw storeError(path, error);
    }
  }

  /** A statement, compiled once. */
  statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (statement === undefined) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  /** Runs writes that are all done or none of them; what `write` throws undoes them. */
  transaction<T>(write: () => T): T {
    this.#database.exec('BEGIN IMMEDIATE');
    try {
      const result = write();
      this.#database.exec('COMMIT');
      return result;
    } catch (error) {
      // A failed commit may have undone everything already.
      if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
      throw error;
    }
  }

  /** Closes the file and gives up the folder. Closing again does nothing. */
  [Symbol.dispose](): void {
    if (this.#database.isOpen) this.#database.close();
  }
}

function prepareFile(path: string, database: DatabaseSync): void {
  // Exclusive before WAL: the lock is then held for as long as the file is open.
  database.exec('PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE');
  const applicationId = readPragma(database, 'application_id');
  const isNew = readPragma(database, 'schema_version') === 0;
  const version = readPragma(database, 'user_version');
  if (!(isNew || applicationId === APPLICATION_ID)) {
    throw new StoreError(
      `Cannot open ${path} as it must be a database of Hearth: it belongs to another program`,
    );
  }
  if (version > MIGRATIONS.length) {
    throw new StoreError(
      `Cannot open ${path} as its schema must be ${MIGRATIONS.length} or older: received ${version}, of a newer Hearth`,
    );
  }
  for (const migration of MIGRATIONS.slice(version)) database.exec(migration);
  database.exec(
    `PRAGMA application_id = ${APPLICATION_ID}; PRAGMA user_version = ${MIGRATIONS.length}; COMMIT`,
  );
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON');
}

function readPragma(database: DatabaseSync, name: string): number {
  const row = database.prepare(`PRAGMA ${name}`).get();
  return Number(row?.[name] ?? 0);
}

function storeError(path: string, error: unknown): unknown {
  if (error instanceof StoreError) return error;
  const code =
    error instanceof Error && 'errcode' in error ? Number(error.errcode) & 0xff : undefined;
  if (code === SQLITE_BUSY || code === SQLITE_LOCKED) {
    return new StoreError(
      `Cannot open ${path} as another Hearth server is using it: stop that one, or choose another data folder`,
      { cause: error },
    );
  }
  if (code === SQLITE_NOTADB || code === SQLITE_CORRUPT) {
    return new StoreError(
      `Cannot open ${path} as it must be an intact SQLite database: restore it from a backup, or move it away to start empty`,
      { cause: error },
    );
  }
  const reason = error instanceof Error ? error.message : String(error);
  return new StoreError(`Cannot open ${path}: ${reason}`, { cause: error });
}
