import { mkdtemp, readdir, readFile, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import { removeTree } from '../files/remove-tree.ts';
import { CodeCacheStore } from './code-cache-store.ts';

const KEY = 'a'.repeat(64);
const OTHER = 'b'.repeat(64);
const MB = 1_048_576;

let folder = '';
let clock = new ManualClock();

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-code-caches-'));
  clock = new ManualClock();
});

afterEach(() => removeTree(folder));

function openStore(maxTotalBytes?: number): Promise<CodeCacheStore> {
  return CodeCacheStore.open({
    root: join(folder, 'v8'),
    clock,
    onFault: (error) => {
      throw error;
    },
    ...(maxTotalBytes !== undefined && { maxTotalBytes }),
  });
}

async function keep(store: CodeCacheStore, key: string, ...pieces: Uint8Array[]): Promise<void> {
  const collection = store.collect(key);
  if (collection === undefined) throw new Error(`Expected to collect ${key}`);
  for (const piece of pieces) collection.add(piece);
  collection.end();
  await store.settled();
}

const bytes = (length: number): Uint8Array => new Uint8Array(length).fill(7);

describe('CodeCacheStore', () => {
  test('keeps what was collected, readable for every user and for nobody to write', async () => {
    await using store = await openStore();
    expect(store.folder(KEY)).toBeUndefined();
    await keep(store, KEY, Buffer.from('one'), Buffer.from('two'));
    const kept = store.folder(KEY) ?? '';
    expect(await readdir(kept)).toEqual(['v8.cache']);
    expect(await readFile(join(kept, 'v8.cache'), 'utf8')).toBe('onetwo');
    expect((await stat(kept)).mode & 0o777).toBe(0o755);
    expect((await stat(join(kept, 'v8.cache'))).mode & 0o777).toBe(0o644);
    expect(store.folder(OTHER)).toBeUndefined();
  });

  test('asks one environment at a time, and nobody where there is one', async () => {
    await using store = await openStore();
    const first = store.collect(KEY);
    expect(store.collect(KEY)).toBeUndefined();
    first?.[Symbol.dispose]();
    await keep(store, KEY, bytes(1));
    expect(store.collect(KEY)).toBeUndefined();
  });

  test('nothing of a collection that was given up is kept', async () => {
    await using store = await openStore();
    const collection = store.collect(KEY);
    collection?.add(bytes(10));
    collection?.[Symbol.dispose]();
    collection?.add(bytes(10));
    collection?.end();
    await store.settled();
    expect(store.folder(KEY)).toBeUndefined();
  });

  test('who has nothing to keep is not asked again', async () => {
    await using store = await openStore();
    store.collect(KEY)?.end();
    expect(store.folder(KEY)).toBeUndefined();
    expect(store.collect(KEY)).toBeUndefined();
  });

  test('what is too large, in bytes or in pieces, is not kept', async () => {
    await using store = await openStore();
    await keep(store, KEY, bytes(20 * MB), bytes(20 * MB));
    expect(store.folder(KEY)).toBeUndefined();
    await keep(store, OTHER, ...Array.from({ length: 2_000 }, () => bytes(1)));
    expect(store.folder(OTHER)).toBeUndefined();
  });

  test('functions that send at the same time cannot fill the memory', async () => {
    await using store = await openStore();
    const keys = ['1', '2', '3', '4', '5'].map((digit) => digit.repeat(64));
    const collections = keys.map((key) => store.collect(key));
    for (const collection of collections) collection?.add(bytes(30 * MB));
    for (const collection of collections) collection?.end();
    await store.settled();
    expect(keys.filter((key) => store.folder(key) !== undefined)).toEqual(keys.slice(0, 3));
    // What was given back may be used again.
    await keep(store, OTHER, bytes(30 * MB));
    expect(store.folder(OTHER)).toBeDefined();
  });

  test('is there after a restart, without what was half done', async () => {
    {
      await using store = await openStore();
      await keep(store, KEY, bytes(5));
      store.collect(OTHER)?.add(bytes(5));
    }
    await using again = await openStore();
    expect(again.folder(KEY)).toBeDefined();
    expect(again.folder(OTHER)).toBeUndefined();
    expect(await readdir(join(folder, 'v8'))).toEqual(['.staging', KEY]);
  });

  test('what does not fit goes at once, is collected anew, and given up the second time', async () => {
    await using store = await openStore();
    for (const isAskedAgain of [true, false]) {
      await keep(store, KEY, bytes(5));
      const kept = store.folder(KEY) ?? '';
      store.reject(KEY);
      expect(store.folder(KEY)).toBeUndefined();
      await store.settled();
      // The folder itself stays for an environment that is about to mount it.
      expect(await readdir(kept)).toEqual([]);
      expect(store.collect(KEY)).toBeUndefined();
      clock.advance(10_000);
      await store.settled();
      await expect(stat(kept)).rejects.toThrow('ENOENT');
      const next = store.collect(KEY);
      expect(next !== undefined).toBe(isAskedAgain);
      next?.[Symbol.dispose]();
    }
  });

  test('what was rejected is not found after a restart', async () => {
    {
      await using store = await openStore();
      await keep(store, KEY, bytes(5));
      store.reject(KEY);
    }
    await using again = await openStore();
    expect(again.folder(KEY)).toBeUndefined();
    expect(await readdir(join(folder, 'v8'))).toEqual(['.staging']);
  });

  test('the one used longest ago makes room', async () => {
    const third = 'c'.repeat(64);
    await using store = await openStore(25);
    await keep(store, KEY, bytes(10));
    await keep(store, OTHER, bytes(10));
    store.folder(KEY);
    await keep(store, third, bytes(10));
    expect([KEY, OTHER, third].map((key) => store.folder(key) !== undefined)).toEqual([
      true,
      false,
      true,
    ]);
  });

  test('a restart with less room keeps the latest', async () => {
    {
      await using store = await openStore();
      await keep(store, KEY, bytes(10));
      await keep(store, OTHER, bytes(10));
      await writeFile(join(store.folder(OTHER) ?? '', 'v8.cache'), bytes(10));
    }
    await using again = await openStore(15);
    expect(again.folder(KEY)).toBeUndefined();
    expect(again.folder(OTHER)).toBeDefined();
  });

  test('keeps only those of functions that there are, whatever compiled them', async () => {
    await using store = await openStore();
    const functionPart = KEY.slice(0, 32);
    const sibling = functionPart + OTHER.slice(32);
    await keep(store, KEY, bytes(1));
    await keep(store, sibling, bytes(1));
    await keep(store, OTHER, bytes(1));
    store.retain(new Set([functionPart]));
    expect([KEY, sibling, OTHER].map((key) => store.folder(key) !== undefined)).toEqual([
      true,
      true,
      false,
    ]);
  });
});
