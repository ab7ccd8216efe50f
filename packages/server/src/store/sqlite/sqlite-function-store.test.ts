import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { describeFunctionStore, sampleFunction } from '../function-store-contract.ts';
import { MIGRATIONS } from './migrations.ts';
import { SqliteDatabase } from './sqlite-database.ts';
import { SqliteFunctionStore } from './sqlite-function-store.ts';

let directory: string;
let path: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hearth-store-'));
  path = join(directory, 'data', 'hearth.db');
});

afterEach(() => rmSync(directory, { recursive: true }));

describeFunctionStore('sqlite', async (run) => {
  using database = SqliteDatabase.open(path);
  await using store = new SqliteFunctionStore(database);
  await run(store);
});

async function loadNames(): Promise<string[]> {
  using database = SqliteDatabase.open(path);
  const versions = await new SqliteFunctionStore(database).loadAll();
  return versions.map(({ functionName }) => functionName);
}

async function insertOne(functionName: string): Promise<void> {
  using database = SqliteDatabase.open(path);
  await new SqliteFunctionStore(database).insert(sampleFunction({ functionName }));
}

/** Runs a script that opens the database and tells what it did, line by line. */
function startWriter(): { child: ReturnType<typeof spawn>; lines: AsyncIterator<string> } {
  const databaseUrl = new URL('sqlite-database.ts', import.meta.url).href;
  const storeUrl = new URL('sqlite-function-store.ts', import.meta.url).href;
  const script = `
    import { SqliteDatabase } from ${JSON.stringify(databaseUrl)};
    import { SqliteFunctionStore } from ${JSON.stringify(storeUrl)};
    const store = new SqliteFunctionStore(SqliteDatabase.open(${JSON.stringify(path)}));
    const sample = ${JSON.stringify(sampleFunction())};
    for (let index = 0; ; index += 1) {
      await store.insert({ ...sample, functionName: 'fn-' + index });
      await new Promise((written) => process.stdout.write(index + '\\n', written));
    }`;
  const child = spawn(process.execPath, ['--input-type=module', '--eval', script], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
}

describe('the database file', () => {
  test('keeps functions over a restart', async () => {
    await insertOne('a');
    await insertOne('b');
    expect(await loadNames()).toEqual(['a', 'b']);
  });

  test('a second server on the folder is refused in one line, and a third after the first is not', async () => {
    const first = SqliteDatabase.open(path);
    expect(() => SqliteDatabase.open(path)).toThrow(
      `Cannot open ${path} as another Hearth server is using it: stop that one, or choose another data folder`,
    );
    first[Symbol.dispose]();
    first[Symbol.dispose]();
    expect(await loadNames()).toEqual([]);
  });

  test('what was acknowledged survives kill -9, and the lock does not', async () => {
    const { child, lines } = startWriter();
    const exited = once(child, 'exit');
    let acknowledged = -1;
    while (acknowledged < 20) acknowledged = Number((await lines.next()).value);
    expect(() => SqliteDatabase.open(path)).toThrow('another Hearth server is using it');
    child.kill('SIGKILL');
    await exited;
    const names = new Set(await loadNames());
    const missing = Array.from({ length: acknowledged + 1 }, (_, index) => `fn-${index}`).filter(
      (name) => !names.has(name),
    );
    expect(missing).toEqual([]);
  });

  test('a commit waits for the disk and is written ahead', () => {
    using database = SqliteDatabase.open(path);
    const pragma = (name: string): unknown => database.statement(`PRAGMA ${name}`).get()?.[name];
    expect(pragma('journal_mode')).toBe('wal');
    expect(pragma('synchronous')).toBe(2);
    expect(pragma('locking_mode')).toBe('exclusive');
    expect(pragma('user_version')).toBe(MIGRATIONS.length);
  });

  test.each([
    [
      'a file that is no database',
      Buffer.from('not a database, but long enough to be taken for a header'.repeat(40)),
    ],
    [
      'a damaged database',
      Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(4_080, 0xff)]),
    ],
  ])('%s is refused and left as it is', (_case, content) => {
    const file = join(directory, 'hearth.db');
    writeFileSync(file, content);
    expect(() => SqliteDatabase.open(file)).toThrow(
      `Cannot open ${file} as it must be an intact SQLite database`,
    );
    expect(readFileSync(file).equals(content)).toBe(true);
  });

  test("another program's database is refused and left as it is", () => {
    const file = join(directory, 'theirs.db');
    const theirs = new DatabaseSync(file);
    theirs.exec('CREATE TABLE notes (text TEXT)');
    theirs.close();
    const before = readFileSync(file);
    expect(() => SqliteDatabase.open(file)).toThrow('it belongs to another program');
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test('the database of a newer Hearth is refused', async () => {
    await insertOne('a');
    const newer = new DatabaseSync(path);
    newer.exec('PRAGMA user_version = 99');
    newer.close();
    expect(() => SqliteDatabase.open(path)).toThrow(
      `Cannot open ${path} as its schema must be ${MIGRATIONS.length} or older: received 99, of a newer Hearth`,
    );
  });

  test('a damaged row is told by its name', async () => {
    await insertOne('a');
    const editor = new DatabaseSync(path);
    editor.exec("UPDATE functions SET settings = '{'");
    editor.close();
    await expect(loadNames()).rejects.toThrow(
      `Cannot read function a from ${path} as its row is damaged`,
    );
  });

  test('a folder that cannot be made is told', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    expect(() => SqliteDatabase.open(join(file, 'hearth.db'))).toThrow(
      `Cannot open ${file}/hearth.db: `,
    );
  });
});
