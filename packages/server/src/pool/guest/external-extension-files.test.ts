import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { externalExtensionFiles } from './external-extension-files.ts';

let opt: string;

beforeEach(async () => {
  opt = await mkdtemp(join(tmpdir(), 'hearth-extensions-'));
});

afterEach(() => rm(opt, { recursive: true }));

describe('external extensions', () => {
  test('are the files directly in the folder, by name, with why one cannot be executed', async () => {
    const folder = join(opt, 'extensions');
    await mkdir(join(folder, 'a-folder', 'deep'), { recursive: true });
    await writeFile(join(folder, 'z-runs'), '#!/bin/sh\n', { mode: 0o755 });
    await writeFile(join(folder, 'b-locked'), '#!/bin/sh\n', { mode: 0o644 });
    await writeFile(join(folder, 'c-noise'), 'noise\n', { mode: 0o755 });
    await writeFile(join(folder, 'd-gone'), '#!/nowhere/sh\n', { mode: 0o755 });
    await symlink('z-runs', join(folder, 'e-link'));
    await symlink('a-folder', join(folder, 'f-link-to-folder'));
    expect(await externalExtensionFiles({ task: opt, opt })).toEqual([
      { name: 'b-locked', refusal: 'permission denied' },
      { name: 'c-noise', refusal: 'exec format error' },
      { name: 'd-gone', refusal: 'no such file or directory' },
      { name: 'e-link', refusal: undefined },
      { name: 'z-runs', refusal: undefined },
    ]);
  });

  test('are none where there is no layer, no folder, or a file in its place', async () => {
    expect(await externalExtensionFiles({ task: opt, opt: undefined })).toEqual([]);
    expect(await externalExtensionFiles({ task: opt, opt })).toEqual([]);
    await writeFile(join(opt, 'extensions'), '');
    expect(await externalExtensionFiles({ task: opt, opt })).toEqual([]);
  });
});
