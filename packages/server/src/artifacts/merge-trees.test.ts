import {
  mkdir,
  mkdtemp,
  readFile,
  readlink,
  readdir,
  realpath,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, onTestFinished, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import { removeTree } from '../files/remove-tree.ts';
import { craftZip, type CraftedEntry } from './crafted-zip.ts';
import { DirectoryCodeStore } from './directory-code-store.ts';
import { mergeTrees } from './merge-trees.ts';

interface Workbench extends AsyncDisposable {
  readonly folder: string;
  /** Merges the archives of the entries; what is in the result, by path. */
  merge(...layers: CraftedEntry[][]): Promise<Record<string, string>>;
  /** The folder that the last merge made. */
  merged(): string;
}

async function workbench(): Promise<Workbench> {
  const folder = await realpath(await mkdtemp(join(tmpdir(), 'hearth-merge-')));
  const store = await DirectoryCodeStore.open({
    root: join(folder, 'code'),
    clock: new ManualClock(),
  });
  let merges = 0;
  return {
    folder,
    merged: () => join(folder, `merged-${merges}`),
    async merge(...layers) {
      const sources: string[] = [];
      for (const entries of layers) {
        sources.push(store.directory((await store.put(craftZip(entries))).sha256));
      }
      const target = join(folder, `merged-${++merges}`);
      await mkdir(target);
      await mergeTrees(sources, target);
      return read(target);
    },
    [Symbol.asyncDispose]: () => removeTree(folder),
  };
}

/** Every path below a folder with what is there: `folder`, `-> target`, or the content. */
async function read(root: string): Promise<Record<string, string>> {
  const found: Record<string, string> = {};
  for (const item of await readdir(root, { recursive: true, withFileTypes: true })) {
    const path = join(item.parentPath, item.name);
    const name = path.slice(root.length + 1);
    if (item.isDirectory()) found[name] = 'folder';
    else if (item.isSymbolicLink()) found[name] = `-> ${await readlink(path)}`;
    else found[name] = await readFile(path, 'utf8');
  }
  return found;
}

const LINK = 0o120777;
const file = (name: string, content: string): CraftedEntry => ({ name, content });
const link = (name: string, target: string): CraftedEntry => ({
  name,
  content: target,
  mode: LINK,
});

/** A tree as an archive may hold it: a name is one thing only, links lead to a neighbour or nowhere. */
interface Tree {
  [name: string]: string | { readonly link: string } | Tree;
}

const NAME = fc.constantFrom('a', 'b', 'c', 'd');
const { tree } = fc.letrec<{ tree: Tree; node: Tree[string] }>((tie) => ({
  tree: fc.dictionary(NAME, tie('node'), { maxKeys: 3, noNullPrototype: true }),
  node: fc.oneof(
    { depthSize: 'small', withCrossShrink: true },
    fc.string({ unit: fc.constantFrom('x', 'y', 'z'), maxLength: 3 }),
    fc.record({ link: fc.oneof(NAME, fc.constant('./nowhere')) }, { noNullPrototype: true }),
    tie('tree'),
  ),
}));

const isLink = (node: Tree[string]): node is { readonly link: string } =>
  typeof node === 'object' && typeof (node as { link?: unknown }).link === 'string';

function entriesOf(node: Tree, parent = ''): CraftedEntry[] {
  return Object.entries(node).flatMap(([name, child]) => {
    const path = parent + name;
    if (typeof child === 'string') return [file(path, child)];
    if (isLink(child)) return [link(path, child.link)];
    return [file(`${path}/`, ''), ...entriesOf(child, `${path}/`)];
  });
}

/** Unpacks a tree over what is there; what is of another kind goes first. Nothing is optimised. */
async function unzipOver(node: Tree, root: string): Promise<void> {
  for (const [name, child] of Object.entries(node)) {
    const path = join(root, name);
    const isFolder = typeof child !== 'string' && !isLink(child);
    const found = (await readdir(root, { withFileTypes: true })).find((item) => item.name === name);
    if (found !== undefined && !(isFolder && found.isDirectory())) {
      await rm(path, { recursive: true });
    }
    if (typeof child === 'string') await writeFile(path, child);
    else if (isLink(child)) await symlink(child.link.replace('./', ''), path);
    else {
      await mkdir(path, { recursive: true });
      await unzipOver(child, path);
    }
  }
}

describe('merged trees', () => {
  test('are what unpacking one after the other gives, whatever is in them', async () => {
    await using bench = await workbench();
    let round = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(tree, { minLength: 1, maxLength: 4 }), async (trees) => {
        const expected = join(bench.folder, `expected-${++round}`);
        await mkdir(expected);
        for (const one of trees) await unzipOver(one, expected);
        // An archive must have an entry; the root itself counts for nothing.
        const merged = bench.merge(...trees.map((one) => [file('./', ''), ...entriesOf(one)]));
        // Neighbours that link to each other go in circles, in one archive or put together.
        const outcome = await merged.catch((error: Error) => error.message);
        fc.pre(typeof outcome !== 'string' || !/unzip|more than 40 others/.test(outcome));
        expect(outcome).toEqual(await read(expected));
      }),
      { numRuns: 150 },
    );
  });

  test('of what is at the same path the later one is left, whatever its kind', async () => {
    await using bench = await workbench();
    expect(
      await bench.merge(
        [
          file('file', '1'),
          file('was-file', '1'),
          file('was-folder/deep/er', '1'),
          file('kept', '1'),
        ],
        [
          file('file', '2'),
          file('was-file/inside', '2'),
          file('was-folder', '2'),
          file('lib/b', '2'),
        ],
        [file('lib/c', '3')],
      ),
    ).toEqual({
      file: '2',
      kept: '1',
      lib: 'folder',
      'lib/b': '2',
      'lib/c': '3',
      'was-file': 'folder',
      'was-file/inside': '2',
      'was-folder': '2',
    });
  });

  test('a folder in the place of a link replaces it: nothing is written through a link', async () => {
    await using bench = await workbench();
    expect(
      await bench.merge([file('real/a', '1'), link('lib', 'real')], [file('lib/a', '2')]),
    ).toEqual({ real: 'folder', 'real/a': '1', lib: 'folder', 'lib/a': '2' });
  });

  test('links that are harmless one by one and lead out together are refused', async () => {
    await using bench = await workbench();
    const merging = bench.merge(
      [file('b/c/d', ''), link('a', 'b/c/../../b')],
      [file('x', ''), link('b/c', '..')],
    );
    await expect(merging).rejects.toMatchObject({
      code: 'InvalidParameterValueException',
      message:
        'Cannot merge the layers as together they must unpack within one folder: a link leads out of the folder',
    });
  });

  test('onto another file system files are copied, with their modes and times', async (context) => {
    await using bench = await workbench();
    const elsewhere = await mkdtemp('/dev/shm/hearth-merge-').catch(() => undefined);
    context.skip(elsewhere === undefined, 'no /dev/shm to be another file system');
    if (elsewhere === undefined) return;
    onTestFinished(() => removeTree(elsewhere));
    const isAnother = (await stat(elsewhere)).dev !== (await stat(bench.folder)).dev;
    context.skip(!isAnother, '/dev/shm is not another file system');
    await bench.merge([{ name: 'bin/tool', content: 'x', mode: 0o100755 }]);
    await mergeTrees([bench.merged()], elsewhere);
    const [source, copied] = await Promise.all(
      [bench.merged(), elsewhere].map((root) => stat(join(root, 'bin/tool'))),
    );
    expect(await read(elsewhere)).toEqual({ bin: 'folder', 'bin/tool': 'x' });
    expect(copied).toMatchObject({ mode: source?.mode, mtime: source?.mtime, nlink: 1 });
  });

  test('are read-only, keep "executable" and times, and hold no second copy of a file', async () => {
    await using bench = await workbench();
    await bench.merge(
      [{ name: 'bin/tool', content: 'x', mode: 0o100755 }],
      [file('lib/text', 'y')],
    );
    const modeOf = async (path: string): Promise<string> =>
      ((await stat(join(bench.merged(), path))).mode & 0o7777).toString(8);
    expect([await modeOf('.'), await modeOf('bin')]).toEqual(['555', '555']);
    expect([await modeOf('bin/tool'), await modeOf('lib/text')]).toEqual(['555', '444']);
    expect((await stat(join(bench.merged(), 'bin/tool'))).nlink).toBe(2);
  });
});
