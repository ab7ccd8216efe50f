import { execFile } from 'node:child_process';
import { mkdtemp, readdir, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { removeTree } from '../files/remove-tree.ts';
import { BootstrapFolders } from './bootstrap-folders.ts';
import { LocalRuntimeCatalog } from './local-runtime-catalog.ts';
import type { Interpreter } from './runtime-catalog.ts';

const PYTHON = fileURLToPath(new URL('../../../bootstrap/python', import.meta.url));
const sources = { nodejs: '/node-bootstrap', python: PYTHON };

describe('bootstrap folders', () => {
  let folder: string;
  let python: Interpreter | undefined;

  beforeEach(async () => {
    folder = await realpath(await mkdtemp(join(tmpdir(), 'hearth-bootstraps-')));
    const catalog = new LocalRuntimeCatalog({ dataDir: folder, strict: false });
    python = (await catalog.list()).find(({ family }) => family === 'python');
  });

  afterEach(() => removeTree(folder));

  function open(faults: unknown[] = []): BootstrapFolders {
    return new BootstrapFolders({
      sources,
      cacheDirectory: join(folder, 'compiled'),
      onFault: (error) => void faults.push(error),
    });
  }

  test('Node.js runs from where its bundle is', () => {
    const node = { family: 'nodejs' } as Interpreter;
    expect(open().folderFor(node)).toBe('/node-bootstrap');
  });

  test('Python runs from the source at first, then from where its bytecode is', async (context) => {
    if (python === undefined) {
      context.skip('there is no Python 3.9 or newer');
      return;
    }
    await using folders = open();
    expect(folders.folderFor(python)).toBe(PYTHON);
    await folders.settled();
    const compiled = folders.folderFor(python);
    expect(compiled.startsWith(join(folder, 'compiled', 'python-'))).toBe(true);
    expect((await readdir(compiled)).sort()).toEqual(
      expect.arrayContaining(['bootstrap.py', 'hearth_guest']),
    );
    // What Python says it loads the module from.
    const { stderr } = await promisify(execFile)(
      join(python.prefix, python.program),
      ['-s', '-B', '-v', '-c', 'import hearth_guest.session'],
      { env: { PYTHONPATH: compiled }, encoding: 'utf8' },
    );
    expect(stderr).toMatch(/# code object from .*hearth_guest\/__pycache__\/session\.cpython-/);
  });

  test('a second server finds what the first one made', async (context) => {
    if (python === undefined) {
      context.skip('there is no Python 3.9 or newer');
      return;
    }
    await using first = open();
    first.folderFor(python);
    await first.settled();
    await using second = open();
    second.folderFor(python);
    await second.settled();
    expect(second.folderFor(python)).toBe(first.folderFor(python));
    expect(await readdir(join(folder, 'compiled'))).toHaveLength(1);
  });

  test('where nothing can be compiled it is told once, and the source is used', async () => {
    const faults: unknown[] = [];
    await using folders = open(faults);
    const broken = {
      family: 'python' as const,
      version: '3.12.0',
      prefix: '/usr',
      program: 'bin/false',
      origin: 'PATH',
    };
    folders.folderFor(broken);
    await folders.settled();
    expect(folders.folderFor(broken)).toBe(PYTHON);
    expect(faults).toHaveLength(1);
    expect(await readdir(join(folder, 'compiled'))).toEqual([]);
  });
});
