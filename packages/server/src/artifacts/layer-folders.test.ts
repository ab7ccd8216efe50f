import { mkdtemp, readdir, readFile, realpath, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import type { LayerReference } from '../domain/layer.ts';
import { removeTree } from '../files/remove-tree.ts';
import { honestZip } from './crafted-zip.ts';
import { DirectoryCodeStore } from './directory-code-store.ts';
import { LayerFolders } from './layer-folders.ts';

async function openInNewFolder(retainGraceMs = 0) {
  const outer = await realpath(await mkdtemp(join(tmpdir(), 'hearth-layers-')));
  const clock = new ManualClock();
  const root = join(outer, 'layers');
  const codeStore = await DirectoryCodeStore.open({
    root: join(outer, 'code'),
    clock,
    retainGraceMs,
  });
  const open = () => LayerFolders.open({ root, clock, codeStore, retainGraceMs });
  const folders = await open();
  const layer = async (files: Record<string, string>): Promise<LayerReference> => ({
    arn: 'arn:aws:lambda:us-east-1:000000000000:layer:any:1',
    ...(await codeStore.put(await honestZip(files))),
  });
  const mergedFolders = async (): Promise<string[]> =>
    (await readdir(root)).filter((name) => name !== '.staging');
  return {
    folders,
    codeStore,
    clock,
    open,
    layer,
    mergedFolders,
    [Symbol.asyncDispose]: () => removeTree(outer),
  };
}

describe('LayerFolders', () => {
  test('no layers have no folder, and a single one its own: nothing is merged', async () => {
    await using under = await openInNewFolder();
    const only = await under.layer({ a: '1' });
    await under.folders.prepare([]);
    await under.folders.prepare([only]);
    expect(await under.folders.folder([])).toBeUndefined();
    expect(await under.folders.folder([only])).toBe(under.codeStore.directory(only.sha256));
    expect(await under.mergedFolders()).toEqual([]);
  });

  test('several layers are merged in order, once for the same content', async () => {
    await using under = await openInNewFolder();
    const first = await under.layer({ a: '1', both: '1' });
    const second = await under.layer({ b: '2', both: '2' });
    const [one, same] = await Promise.all([
      under.folders.folder([first, second]),
      under.folders.folder([first, { ...second, arn: 'another name' }]),
    ]);
    const reversed = await under.folders.folder([second, first]);
    expect(same).toBe(one);
    expect(await readdir(one ?? '')).toEqual(['a', 'b', 'both']);
    expect(await readFile(join(one ?? '', 'both'), 'utf8')).toBe('2');
    expect(await readFile(join(reversed ?? '', 'both'), 'utf8')).toBe('1');
    expect(await under.mergedFolders()).toHaveLength(2);
  });

  test('what was merged at deploy is found by the next server, and made anew where it is gone', async () => {
    await using under = await openInNewFolder();
    const layers = [await under.layer({ a: '1' }), await under.layer({ a: '2' })];
    await under.folders.prepare(layers);
    const next = await under.open();
    const folder = (await next.folder(layers)) ?? '';
    const before = await stat(folder);
    expect((await stat((await next.folder(layers)) ?? '')).ino).toBe(before.ino);
    await next.retain([]);
    expect(await under.mergedFolders()).toEqual([]);
    expect(await readFile(join((await next.folder(layers)) ?? '', 'a'), 'utf8')).toBe('2');
  });

  test('merged folders that nobody uses are removed, the others stay', async () => {
    await using under = await openInNewFolder();
    const [a, b, c] = [
      await under.layer({ a: '1' }),
      await under.layer({ a: '2' }),
      await under.layer({ a: '3' }),
    ];
    await under.folders.prepare([a, b]);
    await under.folders.prepare([b, c]);
    await under.folders.retain([[a], [b, c], []]);
    expect(await under.mergedFolders()).toHaveLength(1);
    expect(await readFile(join((await under.folders.folder([b, c])) ?? '', 'a'), 'utf8')).toBe('3');
  });

  test('what is prepared is spared until it can be written down', async () => {
    await using under = await openInNewFolder(60_000);
    const layers = [await under.layer({ a: '1' }), await under.layer({ a: '2' })];
    under.clock.advance(60_000);
    await under.folders.prepare(layers);
    await under.folders.retain([]);
    expect(await under.mergedFolders()).toHaveLength(1);
    under.clock.advance(60_000);
    await under.folders.retain([]);
    expect(await under.mergedFolders()).toEqual([]);
  });

  test('a merged folder outlives the layers that it was made of', async () => {
    await using under = await openInNewFolder();
    const layers = [await under.layer({ a: '1' }), await under.layer({ b: '2' })];
    const folder = (await under.folders.folder(layers)) ?? '';
    await under.codeStore.retain(new Set());
    expect(await readFile(join(folder, 'a'), 'utf8')).toBe('1');
    expect(await readFile(join(folder, 'b'), 'utf8')).toBe('2');
  });
});
