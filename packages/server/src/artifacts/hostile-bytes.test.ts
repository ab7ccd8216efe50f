import { lstat, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { array, assert, asyncProperty, integer, nat, record } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES } from '../domain/limits.ts';
import { ServiceError } from '../domain/service-error.ts';
import { accepted, link, newStore, refusal, refusalOf, unicodePath } from './archive-trial.ts';
import {
  craftZip,
  extraField,
  honestZip,
  type CraftedEnd,
  type CraftedEntry,
} from './crafted-zip.ts';

describe('archives with hostile bytes', () => {
  test('the crafted writer makes archives that are accepted when it does not lie', async () => {
    const archive = craftZip([
      { name: 'lib/' },
      { name: 'lib/a.js', content: 'a'.repeat(1_000), deflate: true },
      { name: 'b', content: 'b' },
    ]);
    expect(await accepted(archive, (path) => readFile(join(path, 'lib/a.js'), 'utf8'))).toBe(
      'a'.repeat(1_000),
    );
  });

  test.each([
    ['name', { local: { name: Buffer.from('y') } }],
    ['method', { local: { method: 8 } }],
    ['flags', { local: { flags: 0x808 } }],
    ['size', { local: { uncompressedSize: 2 } }],
    ['packed size', { local: { compressedSize: 0 } }],
    ['checksum', { local: { crc32: 1 } }],
    [
      'Unicode path',
      {
        local: { extra: unicodePath('x', 'z') },
      },
    ],
    [
      'data descriptor',
      {
        flags: 0x808,
        local: { crc32: 0, compressedSize: 0, uncompressedSize: 0 },
        trailer: Buffer.alloc(16, 7),
      },
    ],
  ] satisfies [string, Partial<CraftedEntry>][])(
    'A7 central and local header disagree in %s',
    async (_, lie) => {
      const reason = await refusalOf([{ name: 'x', content: 'x', ...lie }, { name: 'pad' }]);
      expect(reason).toMatch(/disagree/);
    },
  );

  test('A7 a data descriptor that agrees is accepted, whatever its form', async () => {
    const archive = await honestZip({ a: 'streamed'.repeat(10) });
    expect(await accepted(archive, (path) => readFile(join(path, 'a'), 'utf8'))).toContain('str');
    const crc = Buffer.from('8316dc8c', 'hex');
    const sizes = Buffer.from('0100000001000000', 'hex');
    const wide = Buffer.from('01000000000000000100000000000000', 'hex');
    for (const trailer of [
      Buffer.concat([crc, sizes]),
      Buffer.concat([Buffer.from('504b0708', 'hex'), crc, sizes]),
      Buffer.concat([crc, wide]),
    ]) {
      const crafted = craftZip([
        {
          name: 'x',
          content: 'x',
          flags: 0x808,
          local: { crc32: 0, compressedSize: 0, uncompressedSize: 0 },
          trailer,
        },
      ]);
      expect(await accepted(crafted, (path) => readFile(join(path, 'x'), 'utf8'))).toBe('x');
    }
  });

  test.each([
    ['a larger size', { uncompressedSize: 99 }, 'smaller than declared'],
    ['a smaller size', { uncompressedSize: 1 }, 'damaged'],
    ['another checksum', { crc32: 7 }, 'checksum'],
  ])('A7 both headers declare %s than the data has', async (_, lie, reason) => {
    const entry = { name: 'x', content: 'xyz'.repeat(20), deflate: true };
    expect(await refusalOf([{ ...entry, local: lie, central: lie }])).toContain(reason);
  });

  test('A9 entries that share their data', async () => {
    const bomb = { name: 'a', content: Buffer.alloc(1_000_000), deflate: true };
    const entries = Array.from({ length: 50 }, (_, index) => ({
      ...bomb,
      name: `b${index}`,
      shareWith: 0,
      local: {},
    }));
    expect(await refusalOf([bomb, ...entries])).toMatch(/disagree in name|share bytes/);
    const sameName = entries.map((entry) => ({ ...entry, name: 'a' }));
    expect(await refusalOf([bomb, ...sameName])).toContain('share bytes');
  });

  test('A9 an entry that quotes the next one as its data', async () => {
    const inner = craftZip([{ name: 'b', content: 'bbbb' }]);
    const innerLocal = inner.subarray(0, 30 + 1 + 4);
    const reason = await refusal(
      craftZip([
        { name: 'a', content: innerLocal },
        { name: 'b', content: 'bbbb', shareWith: 0, central: { localOffset: 31 } },
      ]),
    );
    expect(reason).toContain('share bytes');
  });

  test('A9 a bomb that declares little is stopped at the first byte too many', async () => {
    const lie = { uncompressedSize: 100_000 };
    const reason = await refusalOf([
      {
        name: 'bomb',
        content: Buffer.alloc(50_000_000),
        deflate: true,
        local: lie,
        central: lie,
      },
    ]);
    expect(reason).toContain('larger than declared');
  });

  test('A9 an archive inside an archive stays an archive', async () => {
    const inner = craftZip([{ name: '../../x', content: 'x' }]);
    const archive = craftZip([{ name: 'inner.zip', content: inner }]);
    expect(await accepted(archive, (path) => readFile(join(path, 'inner.zip')))).toEqual(inner);
  });

  test('A10 one byte more than the unzipped limit, over several entries', async () => {
    const large = { content: Buffer.alloc(MAX_UNZIPPED_BYTES / 2), deflate: true };
    const archive = craftZip([
      { name: 'a', ...large },
      { name: 'b', ...large },
      { name: 'c', content: 'x' },
    ]);
    const message = 'Unzipped size must be smaller than 262144000 bytes';
    expect(await refusal(archive, message)).toBe('no further reason');
  });

  test('A10 the unzipped limit itself is accepted', async () => {
    const large = { content: Buffer.alloc(MAX_UNZIPPED_BYTES / 2), deflate: true };
    const archive = craftZip([
      { name: 'a', ...large },
      { name: 'b', ...large },
    ]);
    expect(await accepted(archive, async (path) => (await lstat(join(path, 'b'))).size)).toBe(
      MAX_UNZIPPED_BYTES / 2,
    );
  });

  test('A10 one byte more than the zipped limit', async () => {
    const message = 'Zipped size must be smaller than 52428800 bytes';
    const archive = Buffer.alloc(MAX_ZIPPED_BYTES + 1);
    expect(await refusal(archive, message)).toBe('no further reason');
  });

  test('A11 a million entries', async () => {
    const entries = Array.from({ length: 1_000_000 }, () => ({ name: 'a', shareWith: 0 }));
    const archive = craftZip([{ name: 'a' }, ...entries], { zip64: true, entryCount: 0xffff });
    expect(archive.length).toBeLessThan(MAX_ZIPPED_BYTES);
    expect(await refusal(archive)).toContain('more than 100000 entries');
    // The plain record can only count to 65,535: the rest must not be overlooked.
    expect(await refusal(craftZip([{ name: 'a' }, ...entries]))).toContain('another size');
  });

  test('A11 a few entries that imply a million folders', async () => {
    const entries = Array.from({ length: 1_000 }, (_, index) => ({
      name: `${index}/${'a/'.repeat(1_000)}x`,
    }));
    expect(await refusalOf(entries)).toContain('files and folders');
  });

  test('A13 truncated archives', async () => {
    const archive = await honestZip({ 'a.txt': 'a'.repeat(100), 'b.txt': 'b' }, { zip64: true });
    for (let length = 1; length < archive.length; length += 1) {
      expect(await refusal(archive.subarray(0, length))).toMatch(/truncated|follow/);
    }
  });

  test.each([
    ['an end record elsewhere', { zip64Offset: 3n }, 'not where its locator says'],
    ['an end record beyond the archive', { zip64Offset: 1n << 40n }, 'not where its locator says'],
    ['an offset beyond all numbers', { zip64Offset: (1n << 64n) - 1n }, 'out of range'],
    ['another entry count', { zip64EntryCount: 7n }, 'contradicts'],
    ['a huge entry count', { zip64EntryCount: 1n << 50n, entryCount: 0xffff }, 'more than 100000'],
    ['another directory offset', { directoryOffset: 0 }, 'contradicts'],
  ] satisfies [string, CraftedEnd, string][])('A13 zip64 with %s', async (_, end, reason) => {
    expect(await refusalOf([{ name: 'a', content: 'a' }], { zip64: true, ...end })).toContain(
      reason,
    );
  });

  test('A13 a zip64 size that is not there', async () => {
    const lie = { uncompressedSize: 0xffffffff, compressedSize: 0xffffffff };
    expect(await refusalOf([{ name: 'a', content: 'a', local: lie, central: lie }])).toBe(
      'the archive is damaged',
    );
    const extra = extraField(1, Buffer.alloc(16, 0xff));
    expect(await refusalOf([{ name: 'a', content: 'a', extra, local: lie, central: lie }])).toBe(
      'the archive is damaged',
    );
  });

  test('A13 honest zip64 is accepted', async () => {
    const archive = await honestZip({ 'a.txt': 'zip64' }, { zip64: true });
    expect(await accepted(archive, (path) => readFile(join(path, 'a.txt'), 'utf8'))).toBe('zip64');
  });

  test.each([
    [
      'bytes after the end',
      'bytes follow',
      Buffer.concat([craftZip([{ name: 'a' }]), Buffer.from('x')]),
    ],
    ['text', 'no zip archive', Buffer.from('exports.handler = async () => 1')],
    ['an encrypted entry', 'encrypted', craftZip([{ name: 'a', deflate: true, flags: 0x801 }])],
    [
      'an unknown method',
      'method 14',
      craftZip([{ name: 'a', content: 'x', local: { method: 14 }, central: { method: 14 } }]),
    ],
    ['a hidden entry', 'another size', craftZip([{ name: 'a' }, { name: 'b' }], { entryCount: 1 })],
  ])('what is no zip archive of ours: %s', async (_, reason, archive) => {
    expect(await refusal(archive)).toContain(reason);
  });

  test('an empty archive, or none at all', async () => {
    for (const archive of [craftZip([]), Buffer.alloc(0)]) {
      const message = 'Uploaded file must be a non-empty zip';
      expect(await refusal(archive, message)).toBe('no further reason');
    }
  });

  test('a damaged archive is refused or unpacked inside, and never harms the server', async () => {
    await using under = await newStore();
    const base = craftZip([
      { name: 'lib/a.js', content: 'a'.repeat(500), deflate: true },
      link('l', 'lib/a.js'),
      { name: 'b/', mode: 0o040755 },
      { name: 'b/c', content: 'c', extra: extraField(0x7075, Buffer.alloc(9)) },
    ]);
    const damage = array(
      record({ at: nat(base.length - 1), value: integer({ min: 0, max: 255 }) }),
      { minLength: 1, maxLength: 4 },
    );
    await assert(
      asyncProperty(damage, async (changes) => {
        const archive = Buffer.from(base);
        for (const { at, value } of changes) archive[at] = value;
        const error = await under.store.put(archive).then(
          () => undefined,
          (reason: unknown) => reason,
        );
        expect(error === undefined || error instanceof ServiceError).toBe(true);
        expect(await readdir(join(under.outer, 'data/code/.staging'))).toEqual([]);
        expect(await readdir(under.outer)).toEqual(['data']);
        expect(await readdir(join(under.outer, 'data'))).toEqual(['code']);
      }),
      { numRuns: 500 },
    );
  });
});
