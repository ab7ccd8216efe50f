import { buffer } from 'node:stream/consumers';
import { readFile, stat } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { CodeStore } from './code-store.ts';
import { honestZip } from './crafted-zip.ts';

/** A store with nothing in it, for one test; `retain` may remove at once what was just put. */
export interface CodeStoreUnderTest extends AsyncDisposable {
  readonly store: CodeStore;
}

/** What every CodeStore does. */
export function describeCodeStore(name: string, create: () => Promise<CodeStoreUnderTest>): void {
  describe(`${name} as a CodeStore`, () => {
    test('what was put is there: folder, archive, hash and size', async () => {
      await using under = await create();
      const archive = await honestZip({ 'index.js': 'exports.handler = 1', 'lib/a.txt': 'a' });
      const stored = await under.store.put(archive);
      expect(stored).toEqual({
        sha256: createHash('sha256').update(archive).digest('base64'),
        sizeBytes: archive.length,
      });
      const directory = under.store.directory(stored.sha256);
      expect(isAbsolute(directory)).toBe(true);
      expect(await readFile(join(directory, 'index.js'), 'utf8')).toBe('exports.handler = 1');
      expect(await readFile(join(directory, 'lib/a.txt'), 'utf8')).toBe('a');
      expect(await buffer(under.store.archive(stored.sha256))).toEqual(archive);
      expect(await under.store.has(stored.sha256)).toBe(true);
    });

    test('the unpacked size counts what came out, however well it was packed', async () => {
      await using under = await create();
      const { sha256, sizeBytes } = await under.store.put(
        await honestZip({ 'a.txt': 'a'.repeat(100_000), 'b/c.txt': 'bc' }),
      );
      expect(sizeBytes).toBeLessThan(10_000);
      expect(await under.store.unzippedBytes(sha256)).toBe(100_002);
      expect(await under.store.unzippedBytes(sha256)).toBe(100_002);
    });

    test('the same bytes put twice at once and once more later share one folder', async () => {
      await using under = await create();
      const archive = await honestZip({ 'index.js': '1' });
      const [first, second] = await Promise.all([
        under.store.put(archive),
        under.store.put(Buffer.from(archive)),
      ]);
      const path = join(under.store.directory(first.sha256), 'index.js');
      const before = await stat(path);
      expect(second).toEqual(first);
      expect(await under.store.put(archive)).toEqual(first);
      expect((await stat(path)).ino).toBe(before.ino);
    });

    test('an archive that was not put is not there', async () => {
      await using under = await create();
      expect(await under.store.has(createHash('sha256').update('x').digest('base64'))).toBe(false);
    });

    test('a refused archive leaves nothing', async () => {
      await using under = await create();
      const bytes = Buffer.from('no zip');
      await expect(under.store.put(bytes)).rejects.toMatchObject({
        code: 'InvalidParameterValueException',
      });
      expect(await under.store.has(createHash('sha256').update(bytes).digest('base64'))).toBe(
        false,
      );
    });

    test('retain removes what is not named and keeps what is', async () => {
      await using under = await create();
      const kept = await under.store.put(await honestZip({ a: '1' }));
      const removed = await under.store.put(await honestZip({ a: '2' }));
      await under.store.retain(new Set([kept.sha256]));
      expect(await under.store.has(kept.sha256)).toBe(true);
      expect(await under.store.has(removed.sha256)).toBe(false);
    });

    test('what was removed can be put again', async () => {
      await using under = await create();
      const archive = await honestZip({ a: '1' });
      const { sha256 } = await under.store.put(archive);
      await under.store.retain(new Set());
      await under.store.put(archive);
      expect(await readFile(join(under.store.directory(sha256), 'a'), 'utf8')).toBe('1');
    });

    test('a put during a retain that does not name it keeps its code', async () => {
      await using under = await create();
      const archive = await honestZip({ a: '1' });
      for (let round = 0; round < 10; round += 1) {
        const [{ sha256 }] = await Promise.all([
          under.store.put(archive),
          under.store.retain(new Set()),
        ]);
        expect(await readFile(join(under.store.directory(sha256), 'a'), 'utf8')).toBe('1');
        await under.store.retain(new Set());
      }
    });

    test('a hash that is none never becomes a path', async () => {
      await using under = await create();
      for (const sha256 of ['', '../../etc', 'AAAA', 'A'.repeat(43)]) {
        expect(() => under.store.directory(sha256)).toThrow(RangeError);
      }
    });
  });
}
