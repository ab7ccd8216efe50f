import { execFile } from 'node:child_process';
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

import { afterEach, beforeEach, expect, test } from 'vitest';

const run = promisify(execFile);
const lockModule = new URL('lock.mjs', import.meta.url).href;

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-lock-'));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

/** A process that adds one to a number in a file, in two steps with a pause between, under the lock. */
async function addOne(): Promise<void> {
  const program = `
    import { readFileSync, writeFileSync } from 'node:fs';
    import { setTimeout as delay } from 'node:timers/promises';
    const { withLock } = await import(${JSON.stringify(lockModule)});
    await withLock('lock', async () => {
      const count = Number(readFileSync('count', 'utf8'));
      await delay(20);
      writeFileSync('count', String(count + 1));
    });`;
  await run(process.execPath, ['--input-type=module', '-e', program], { cwd: folder });
}

test('only one process at a time does work under the lock, and the lock is gone afterwards', async () => {
  await writeFile(join(folder, 'count'), '0');
  await Promise.all([addOne(), addOne(), addOne(), addOne()]);
  expect(await readFile(join(folder, 'count'), 'utf8')).toBe('4');
  expect(await readdir(folder)).toEqual(['count']);
});

test('the lock of a process that is gone is taken over', async () => {
  const { stdout } = await run(process.execPath, ['-p', 'process.pid']);
  await writeFile(join(folder, 'count'), '0');
  await writeFile(join(folder, 'lock'), `${stdout.trim()} 1\n`);
  await Promise.all([addOne(), addOne()]);
  expect(await readFile(join(folder, 'count'), 'utf8')).toBe('2');
  expect(await readdir(folder)).toEqual(['count']);
});
