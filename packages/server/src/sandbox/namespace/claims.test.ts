import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync, unlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { claimsOf } from './claims.ts';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-claims-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

test('only the claims of the instance are told', () => {
  symlinkSync('one', join(folder, '1'));
  symlinkSync('other', join(folder, '2'));
  symlinkSync('one', join(folder, '3'));
  expect(claimsOf(folder, 'one').toSorted()).toEqual([join(folder, '1'), join(folder, '3')]);
  expect(claimsOf(folder, 'nobody')).toEqual([]);
});

test('where nobody has claimed anything yet, there is none', () => {
  expect(claimsOf(join(folder, 'absent'), 'one')).toEqual([]);
});

test('claims that others give up meanwhile take none away', async () => {
  const kept = join(folder, 'kept');
  symlinkSync('one', kept);
  const script = `const { symlinkSync, unlinkSync } = require('node:fs');
    for (let count = 0; count < 2_000; count += 1) {
      symlinkSync('other', '${folder}/' + count % 7 + '-other');
      unlinkSync('${folder}/' + count % 7 + '-other');
    }`;
  const state = { running: true };
  const other = new Promise<void>((resolve, reject) => {
    execFile(process.execPath, ['-e', script], (error) => {
      state.running = false;
      if (error === null) resolve();
      else reject(error);
    });
  });
  while (state.running) {
    for (let looks = 0; looks < 100; looks += 1) expect(claimsOf(folder, 'one')).toEqual([kept]);
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
  await other;
  unlinkSync(kept);
  expect(claimsOf(folder, 'one')).toEqual([]);
});
