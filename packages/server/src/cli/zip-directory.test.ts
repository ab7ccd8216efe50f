import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { fromBufferPromise } from 'yauzl';
import { CommandError } from './command.ts';
import { zipDirectory } from './zip-directory.ts';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'hearth-zip-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

function file(path: string, content: string, mode = 0o644): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content);
  chmodSync(full, mode);
  return full;
}

/** Name, mode and content of each entry. */
async function unzip(archive: Buffer): Promise<[string, string, string][]> {
  const zip = await fromBufferPromise(archive);
  const entries: [string, string, string][] = [];
  for await (const entry of zip.eachEntry()) {
    const mode = (entry.externalFileAttributes >>> 16).toString(8);
    entries.push([entry.fileName, mode, await text(await zip.openReadStreamPromise(entry))]);
  }
  return entries;
}

describe('zipDirectory', () => {
  test('keeps paths, contents and the execute bit', async () => {
    file('index.mjs', 'export {}');
    file('bin/run', '#!/bin/sh', 0o750);
    file('.env', 'A=1', 0o600);
    expect(await unzip(await zipDirectory(root))).toEqual([
      ['.env', '100644', 'A=1'],
      ['bin/run', '100755', '#!/bin/sh'],
      ['index.mjs', '100644', 'export {}'],
    ]);
  });

  test('keeps links that stay inside', async () => {
    file('a/target', 'x');
    mkdirSync(join(root, 'b'));
    symlinkSync('../a/target', join(root, 'b/link'));
    expect(await unzip(await zipDirectory(root))).toContainEqual([
      'b/link',
      '120777',
      '../a/target',
    ]);
  });

  test.each(['../../etc/passwd', '/etc/passwd', '..'])('refuses a link to %s', async (target) => {
    file('index.js', '');
    symlinkSync(target, join(root, 'link'));
    await expect(zipDirectory(root)).rejects.toThrow(/link as it is a link that leads out of/);
  });

  test('leaves .git out, in the root and below', async () => {
    file('.git/config', 'secret');
    file('sub/.git', 'gitdir: ../.git');
    file('sub/x', '');
    file('.gitignore', '');
    const names = (await unzip(await zipDirectory(root))).map(([name]) => name);
    expect(names).toEqual(['.gitignore', 'sub/x']);
  });

  test('the same content gives the same bytes', async () => {
    const path = file('index.js', '1');
    file('z.js', '2');
    const first = await zipDirectory(root);
    utimesSync(path, 1_000_000_000, 1_000_000_000);
    chmodSync(path, 0o600);
    expect(await zipDirectory(root)).toEqual(first);
  });

  test('refuses an empty folder, a missing one and a file', async () => {
    await expect(zipDirectory(root)).rejects.toThrow('as it is empty');
    await expect(zipDirectory(join(root, 'none'))).rejects.toThrow(
      /Cannot read folder .*: ENOENT$/,
    );
    await expect(zipDirectory(file('f', ''))).rejects.toThrow(CommandError);
  });
});
