import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sampleFunction } from '../function-store-contract.ts';
import { describeLayerStore, sampleLayer } from '../layer-store-contract.ts';
import { MIGRATIONS } from './migrations.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { SqliteFunctionStore } from './sqlite-function-store.ts';
import { SqliteLayerStore } from './sqlite-layer-store.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hearth-layer-store-'));
  path = join(directory, 'hearth.db');
});

afterEach(() => rmSync(directory, { recursive: true }));

describeLayerStore('sqlite', async (run) => {
  using database = SqliteDatabase.open(path);
  await using store = new SqliteLayerStore(database);
  await run(store);
});

describe('layers in the database file', () => {
  test('layers and the numbers that were given survive a restart', async () => {
    {
      using database = SqliteDatabase.open(path);
      const store = new SqliteLayerStore(database);
      await store.publish(sampleLayer());
      await store.publish(sampleLayer());
      await store.delete(sampleLayer(), 2);
    }
    using database = SqliteDatabase.open(path);
    const store = new SqliteLayerStore(database);
    expect(await store.loadAll()).toEqual([{ ...sampleLayer(), version: 1 }]);
    expect(await store.publish(sampleLayer())).toMatchObject({ version: 3 });
  });

  test('a database from before layers is brought up to date and keeps its functions', async () => {
    const earlier = new DatabaseSync(path);
    earlier.exec(MIGRATIONS[0] ?? '');
    earlier.exec('PRAGMA application_id = 1213355080; PRAGMA user_version = 1');
    const { accountId, region, functionName, version, revisionId } = sampleFunction();
    earlier
      .prepare('INSERT INTO functions VALUES (?, ?, ?, ?, ?, ?)')
      .run(accountId, region, functionName, version, revisionId, JSON.stringify(sampleFunction()));
    earlier.close();
    using database = SqliteDatabase.open(path);
    expect(await new SqliteFunctionStore(database).loadAll()).toEqual([sampleFunction()]);
    expect(await new SqliteLayerStore(database).publish(sampleLayer())).toMatchObject({
      version: 1,
    });
  });

  test('a publish that fails half way gives no number away', async () => {
    using database = SqliteDatabase.open(path);
    const store = new SqliteLayerStore(database);
    // Stands in for a full disk at the second of its two writes.
    database
      .statement(
        `CREATE TEMP TRIGGER full BEFORE INSERT ON layer_versions
         WHEN NEW.layer_name = 'broken' BEGIN SELECT RAISE(ABORT, 'disk is full'); END`,
      )
      .run();
    await expect(store.publish(sampleLayer({ layerName: 'broken' }))).rejects.toThrow(
      'disk is full',
    );
    database.statement('DROP TRIGGER full').run();
    expect(await store.publish(sampleLayer({ layerName: 'broken' }))).toMatchObject({ version: 1 });
    expect(await store.loadAll()).toHaveLength(1);
  });

  test('a damaged row is told by its name', async () => {
    using database = SqliteDatabase.open(path);
    const store = new SqliteLayerStore(database);
    await store.publish(sampleLayer());
    database.statement("UPDATE layer_versions SET settings = '{'").run();
    await expect(store.loadAll()).rejects.toThrow(
      `Cannot read layer tools from ${path} as its row is damaged`,
    );
  });
});
