import {
  chmodSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { isTreeReadableByAll } from './readable-by-all.ts';

describe('a tree that all users may read', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'hearth-readable-'));
    chmodSync(folder, 0o755);
    mkdirSync(join(folder, 'lib'));
    chmodSync(join(folder, 'lib'), 0o755);
    writeFileSync(join(folder, 'lib', 'file'), '');
    chmodSync(join(folder, 'lib', 'file'), 0o644);
    symlinkSync('/nowhere', join(folder, 'link'));
  });
  afterEach(() => {
    rmSync(folder, { recursive: true });
  });
  const readable = (): Promise<boolean> => isTreeReadableByAll(folder, statSync(folder));

  test('has files and folders that may be read, and any links', async () => {
    expect(await readable()).toBe(true);
  });

  test.each([
    ['', 0o750],
    ['', 0o754],
    ['lib', 0o711],
    ['lib/file', 0o600],
  ])('has no %j of mode %o', async (name, mode) => {
    chmodSync(join(folder, name), mode);
    expect(await readable()).toBe(false);
  });

  test('is looked at for 256 entries, not for ever', async () => {
    for (let index = 0; index < 300; index += 1) writeFileSync(join(folder, `a${index}`), '');
    for (let index = 0; index < 300; index += 1) chmodSync(join(folder, `a${index}`), 0o644);
    chmodSync(join(folder, 'lib', 'file'), 0o600);
    expect(await readable()).toBe(true);
  });
});
