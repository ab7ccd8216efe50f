import { execFile } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const packagesModule = new URL('system-packages.mjs', import.meta.url).href;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-packages-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** What a program prints that has `missing`: the packages of which the folder lacks a program. */
async function withMissing(expression: string): Promise<string> {
  const program = `
    const { missingPackages, packageWarning } = await import(${JSON.stringify(packagesModule)});
    const missing = missingPackages([process.argv[1]]);
    console.log(${expression});`;
  const { stdout } = await run(process.execPath, ['--input-type=module', '-e', program, folder]);
  return stdout.trim();
}

async function installPrograms(...names: string[]): Promise<void> {
  for (const name of names) {
    await writeFile(join(folder, name), '');
    await chmod(join(folder, name), 0o755);
  }
}

const NAMES = "missing.map(({ name }) => name).join(' ')";

test('without their programs all packages are missing', async () => {
  expect(await withMissing(NAMES)).toBe('bubblewrap nftables e2fsprogs');
});

test('a package is missing as long as one of its programs is', async () => {
  await installPrograms('bwrap', 'nft', 'mke2fs');
  expect(await withMissing(NAMES)).toBe('e2fsprogs');
  await installPrograms('tune2fs');
  expect(await withMissing(NAMES)).toBe('');
});

test('a program that cannot be executed is missing', async () => {
  await installPrograms('bwrap', 'nft', 'mke2fs', 'tune2fs');
  await chmod(join(folder, 'nft'), 0o644);
  expect(await withMissing(NAMES)).toBe('nftables');
});

test('a failure is one line that tells what is not enforced then', async () => {
  await installPrograms('bwrap');
  expect(await withMissing("packageWarning(missing, 'E: no network')")).toBe(
    'warning: nftables, e2fsprogs could not be installed, so functions cannot connect to the outside; ' +
      'what functions write to /tmp takes memory: E: no network',
  );
});
