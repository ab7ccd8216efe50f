import { chmod, mkdir, mkdtemp, readdir, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import { describeCodeStore } from './code-store-contract.ts';
import { honestZip } from './crafted-zip.ts';
import { DirectoryCodeStore } from './directory-code-store.ts';
import { removeTree } from '../files/remove-tree.ts';

async function openInNewFolder(retainGraceMs = 0) {
  const outer = await mkdtemp(join(tmpdir(), 'hearth-code-'));
  const root = join(outer, 'code');
  const clock = new ManualClock();
  const store = await DirectoryCodeStore.open({ root, clock, retainGraceMs });
  return { store, root, clock, [Symbol.asyncDispose]: () => removeTree(outer) };
}

async function modeOf(path: string): Promise<string> {
  return ((await stat(path)).mode & 0o7777).toString(8);
}

describeCodeStore('DirectoryCodeStore', () => openInNewFolder());

describe('DirectoryCodeStore', () => {
  test('keeps its archives over a restart', async () => {
    await using first = await openInNewFolder();
    const { sha256 } = await first.store.put(await honestZip({ a: '1' }));
    const again = await DirectoryCodeStore.open({ root: first.root, clock: first.clock });
    expect(await again.has(sha256)).toBe(true);
  });

  test('removes what a killed server left in staging, read-only folders included', async () => {
    await using under = await openInNewFolder();
    const left = join(under.root, '.staging', 'put-abc', 'code', 'lib');
    await mkdir(left, { recursive: true });
    await writeFile(join(left, 'half.js'), 'half');
    await chmod(left, 0o555);
    await DirectoryCodeStore.open({ root: under.root, clock: under.clock });
    expect(await readdir(join(under.root, '.staging'))).toEqual([]);
  });

  test('code is readable by everybody and writable by nobody; the archive is private', async () => {
    await using under = await openInNewFolder();
    const archive = await honestZip({ 'lib/tool': 'x' }, { mode: 0o106777 });
    const directory = under.store.directory((await under.store.put(archive)).sha256);
    expect(await modeOf(join(directory, '..'))).toBe('755');
    expect(await modeOf(directory)).toBe('555');
    expect(await modeOf(join(directory, 'lib'))).toBe('555');
    expect(await modeOf(join(directory, 'lib/tool'))).toBe('555');
    expect(await modeOf(join(directory, '../archive.zip'))).toBe('600');
  });

  test('the umask of the server does not reach the code', async () => {
    await using under = await openInNewFolder();
    const archive = await honestZip({ 'lib/index.js': 'x' });
    const umask = process.umask(0o077);
    const { sha256 } = await under.store.put(archive).finally(() => process.umask(umask));
    expect(await modeOf(join(under.store.directory(sha256), '..'))).toBe('755');
    expect(await modeOf(join(under.store.directory(sha256), 'lib'))).toBe('555');
    expect(await modeOf(join(under.store.directory(sha256), 'lib/index.js'))).toBe('444');
  });

  test('files keep the time of the archive', async () => {
    await using under = await openInNewFolder();
    const mtime = new Date(Date.UTC(2021, 4, 6, 7, 8, 10));
    const { sha256 } = await under.store.put(await honestZip({ a: '1' }, { mtime }));
    expect((await stat(join(under.store.directory(sha256), 'a'))).mtime).toEqual(mtime);
  });

  test('retain spares what was put within the grace period', async () => {
    await using under = await openInNewFolder(60_000);
    const { sha256 } = await under.store.put(await honestZip({ a: '1' }));
    under.clock.advance(59_999);
    await under.store.retain(new Set());
    expect(await under.store.has(sha256)).toBe(true);
    under.clock.advance(1);
    await under.store.retain(new Set());
    expect(await under.store.has(sha256)).toBe(false);
  });

  test('putting again what is there renews the grace period', async () => {
    await using under = await openInNewFolder(60_000);
    const archive = await honestZip({ a: '1' });
    const { sha256 } = await under.store.put(archive);
    under.clock.advance(60_000);
    await under.store.put(archive);
    await under.store.retain(new Set());
    expect(await under.store.has(sha256)).toBe(true);
  });

  test('keeping what is there renews the grace period; what is not there cannot be kept', async () => {
    await using under = await openInNewFolder(60_000);
    const { sha256 } = await under.store.put(await honestZip({ a: '1' }));
    under.clock.advance(60_000);
    expect(await under.store.keep(sha256)).toBe(true);
    await under.store.retain(new Set());
    expect(await under.store.has(sha256)).toBe(true);
    under.clock.advance(60_000);
    await under.store.retain(new Set());
    expect(await under.store.keep(sha256)).toBe(false);
  });

  test('retain leaves what is no archive alone', async () => {
    await using under = await openInNewFolder();
    await writeFile(join(under.root, 'README'), 'hands off');
    await under.store.retain(new Set());
    expect(await readdir(under.root)).toEqual(['.staging', 'README']);
  });

  test('two retains at once remove an archive once', async () => {
    await using under = await openInNewFolder();
    await under.store.put(await honestZip({ a: '1' }));
    await Promise.all([under.store.retain(new Set()), under.store.retain(new Set())]);
    expect(await readdir(under.root)).toEqual(['.staging']);
  });

  test('many different archives at once are all stored', async () => {
    await using under = await openInNewFolder();
    const archives = await Promise.all(
      Array.from({ length: 12 }, (_, index) => honestZip({ a: String(index) })),
    );
    const stored = await Promise.all(archives.map((archive) => under.store.put(archive)));
    const present = await Promise.all(stored.map(({ sha256 }) => under.store.has(sha256)));
    expect(present).toEqual(archives.map(() => true));
    expect(await readdir(join(under.root, '.staging'))).toEqual([]);
  });
});
