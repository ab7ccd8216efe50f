import { lstat, mkdtemp, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import {
  array,
  assert,
  asyncProperty,
  constantFrom,
  integer,
  nat,
  option,
  record,
  tuple,
} from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import { MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES } from '../domain/limits.ts';
import { ServiceError } from '../domain/service-error.ts';
import {
  craftZip,
  extraField,
  honestZip,
  type CraftedEnd,
  type CraftedEntry,
} from './crafted-zip.ts';
import { DirectoryCodeStore } from './directory-code-store.ts';
import { removeTree } from './remove-tree.ts';

const CANNOT_UNZIP =
  'Could not unzip uploaded file. Please check your file, then try to upload again.';
const LINK = 0o120777;

/** A store two folders deep, so that what climbs out of it lands where the test looks. */
async function newStore() {
  const outer = await mkdtemp(join(tmpdir(), 'hearth-hostile-'));
  const root = join(outer, 'data', 'code');
  const store = await DirectoryCodeStore.open({ root, clock: new ManualClock() });
  return { outer, store, [Symbol.asyncDispose]: () => removeTree(outer) };
}

async function putOutcome(archive: Buffer) {
  await using under = await newStore();
  const before = await readdir(under.outer, { recursive: true });
  const error = await under.store.put(archive).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const left = (await readdir(under.outer, { recursive: true })).filter(
    (path) => !before.includes(path),
  );
  return { error, left };
}

/** Refused with 400 and AWS's text; nothing anywhere, staging empty. Returns the reason. */
async function refusal(archive: Buffer, message = CANNOT_UNZIP): Promise<string> {
  const { error, left } = await putOutcome(archive);
  if (!(error instanceof ServiceError)) throw new Error('it was not refused', { cause: error });
  expect(error).toMatchObject({ code: 'InvalidParameterValueException', message });
  expect(error.definition.httpStatus).toBe(400);
  expect(left).toEqual([]);
  return error.cause instanceof Error ? error.cause.message : 'no further reason';
}

async function refusalOf(entries: CraftedEntry[], end?: CraftedEnd): Promise<string> {
  return await refusal(craftZip(entries, end));
}

/** Stores an archive that is allowed and gives its folder to `look`. */
async function accepted<T>(archive: Buffer, look: (directory: string) => Promise<T>): Promise<T> {
  await using under = await newStore();
  const { sha256 } = await under.store.put(archive);
  return await look(under.store.directory(sha256));
}

const link = (name: string, target: string | Buffer): CraftedEntry => ({
  name,
  content: target,
  mode: LINK,
});

function unicodePath(plainName: string, unicodeName: string): Buffer {
  const head = Buffer.alloc(5, 1);
  head.writeUInt32LE(crc32(plainName), 1);
  return extraField(0x7075, Buffer.concat([head, Buffer.from(unicodeName)]));
}

describe('hostile archives', () => {
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

  test.each(['../../x', '..', 'a/../../x', 'a/b/..', './../x'])(
    'A1 climbing path %s',
    async (name) => {
      expect(await refusalOf([{ name, content: 'x' }])).toContain('leaves the folder');
    },
  );

  test.each(['/etc/hearth', '//x', '/'])('A2 absolute path %s', async (name) => {
    expect(await refusalOf([{ name, content: 'x' }])).toContain('absolute path');
  });

  test.each(['..\\..\\x', 'a\\b', 'C:\\x', 'C:x', 'c:/x', '\\\\host\\x'])(
    'A3 backslash or drive path %s',
    async (name) => {
      expect(await refusalOf([{ name, content: 'x' }])).toMatch(/backslash|absolute path/);
    },
  );

  test.each([
    ['absolute', [link('l', '/etc/passwd')], 'absolute path'],
    ['relative', [link('a/l', '../../x')], 'out of the folder'],
    ['to a folder above', [link('l', '..')], 'out of the folder'],
    ['through a missing folder', [link('l', 'missing/../../x')], 'out of the folder'],
    ['through another link', [link('d/up', '..'), link('l', 'd/up/../x')], 'out of the folder'],
    ['in a circle', [link('a', 'b'), link('b', 'a')], 'others'],
    ['to nowhere', [link('a', '')], 'no target'],
    ['with a backslash', [link('a', '..\\x')], 'backslash'],
    ['with a NUL', [link('a', 'x\0y')], 'NUL'],
    ['with a target that is too long', [link('a', 'x/'.repeat(1_025))], 'too long'],
    ['named as a folder', [{ ...link('a/', 'b') }], 'name of a folder'],
  ])('A4 link %s', async (_, entries, reason) => {
    expect(await refusalOf(entries)).toContain(reason);
  });

  test('A4 links that take forever to resolve are given up', async () => {
    const entries = [link('l0', `${'x/../'.repeat(400)}.`)];
    for (let index = 1; index < 40; index += 1) {
      entries.push(link(`l${index}`, `${'x/../'.repeat(300)}l${index - 1}`));
    }
    for (let index = 0; index < 400; index += 1) entries.push(link(`m${index}`, 'l39'));
    expect(await refusalOf(entries)).toContain('too long to resolve');
  });

  test.each([
    ['link first', [link('l', 'd'), { name: 'l/x', content: 'x' }]],
    ['file first', [{ name: 'l/x', content: 'x' }, link('l', 'd')]],
    ['link with the path of a file', [link('l', 'x'), { name: 'l', content: 'x' }]],
  ])('A5 write through a link, %s', async (_, entries) => {
    expect(await refusalOf(entries)).toMatch(/below a link|same path/);
  });

  test('A5 relative links inside the tree are kept', async () => {
    const archive = craftZip([
      { name: 'lib/real.txt', content: 'real' },
      link('lib/near', './real.txt'),
      link('far', 'lib/near'),
      link('folder', 'lib/'),
      link('through', 'folder/../lib/real.txt'),
      link('dangling', 'not/there'),
      link('root', '.'),
    ]);
    await accepted(archive, async (path) => {
      expect(await readlink(join(path, 'lib/near'))).toBe('real.txt');
      expect(await readlink(join(path, 'root'))).toBe('.');
      expect(await readlink(join(path, 'dangling'))).toBe('not/there');
      for (const name of ['far', 'folder/real.txt', 'through']) {
        expect(await readFile(join(path, name), 'utf8')).toBe('real');
      }
    });
  });

  test.each([
    ['character device', 0o020666],
    ['block device', 0o060666],
    ['pipe', 0o010666],
    ['socket', 0o140666],
  ])('A6 %s', async (_, mode) => {
    expect(await refusalOf([{ name: 'x', mode }])).toContain('neither file, folder nor link');
  });

  test.each([
    ['hard link in a PKWARE field', extraField(0x000d, Buffer.alloc(12 + 11, 'a'))],
    ['hard link in an ASi field', extraField(0x756e, Buffer.alloc(14 + 11, 0))],
    [
      'device in an ASi field',
      extraField(0x756e, Buffer.from('00000000ff2101020000000000000000', 'hex').subarray(0, 14)),
    ],
  ])('A6 %s', async (_, extra) => {
    expect(await refusalOf([{ name: 'x', content: 'x', extra }])).toContain('hard link');
  });

  test('A6 setuid, setgid and sticky bits are stripped', async () => {
    const archive = craftZip([
      { name: 'tool', content: 'x', mode: 0o107755 },
      { name: 'data', content: 'x', mode: 0o107666 },
      { name: 'd/', mode: 0o047777 },
    ]);
    await accepted(archive, async (path) => {
      const modes = await Promise.all(
        ['tool', 'data', 'd'].map(async (name) => (await lstat(join(path, name))).mode & 0o7777),
      );
      expect(modes).toEqual([0o555, 0o444, 0o555]);
    });
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

  test('a Unicode path is the name, and is checked like one', async () => {
    const extra = unicodePath('plain', 'ünicode');
    const archive = craftZip([{ name: 'plain', content: 'x', extra }]);
    expect(await accepted(archive, (path) => readdir(path))).toEqual(['ünicode']);
    const climbing = unicodePath('plain', '../../x');
    expect(await refusalOf([{ name: 'plain', content: 'x', extra: climbing }])).toContain('leaves');
  });

  test.each([
    ['the same file', ['a', 'a']],
    ['the same file by another spelling', ['a/b', 'a/./b']],
    ['a doubled slash', ['a/b', 'a//b']],
    ['the same folder', ['a/', 'a/']],
    ['file, then folder', ['a', 'a/']],
    ['folder, then file', ['a/', 'a']],
    ['file, then a path below it', ['a', 'a/b']],
    ['a path, then a file above it', ['a/b', 'a']],
  ])('A8 duplicate names: %s', async (_, names) => {
    const reason = await refusalOf(names.map((name) => ({ name })));
    expect(reason).toMatch(/same path|twice|below a file/);
  });

  test('A8 a file in the place of the root', async () => {
    expect(await refusalOf([{ name: '.', content: 'x' }])).toContain('root');
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

  test.each([
    ['NUL', 'a\0b', 'NUL'],
    ['invalid UTF-8', Buffer.from([0x61, 0xff]), 'not UTF-8'],
    ['an overlong encoding of a slash', Buffer.from([0x61, 0xc0, 0xaf]), 'not UTF-8'],
    ['an encoded surrogate', Buffer.from([0xed, 0xa0, 0x80]), 'not UTF-8'],
    ['a name of 256 bytes', 'n'.repeat(256), '255 bytes'],
    ['a path of 2,049 bytes', 'd/'.repeat(1_024) + 'x', '2048 bytes'],
    ['no name', '', 'no name'],
  ])('A12 %s', async (_, name, reason) => {
    expect(await refusalOf([{ name, content: 'x' }])).toContain(reason);
  });

  test('A12 names at the limits and beyond ASCII are accepted', async () => {
    const names = ['n'.repeat(255), 'd/'.repeat(1_023) + 'x', 'héllo wörld/日本.txt'];
    const archive = craftZip(names.map((name) => ({ name, content: 'x', flags: 0 })));
    await accepted(archive, async (path) => {
      for (const name of names) expect(await readFile(join(path, name), 'utf8')).toBe('x');
    });
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

  test('A4 whatever links are accepted, the kernel finds none that leads outside', async () => {
    await using under = await newStore();
    const name = array(constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 3 });
    const target = array(constantFrom('..', '..', 'a', 'b', 'c', '.'), {
      minLength: 1,
      maxLength: 6,
    });
    const entries = array(tuple(name, option(target)), { minLength: 1, maxLength: 8 });
    let acceptedLinks = 0;
    await assert(
      asyncProperty(entries, async (drawn) => {
        const archive = craftZip(
          drawn.map(([names, to]) =>
            to === null ? { name: names.join('/') } : link(names.join('/'), to.join('/')),
          ),
        );
        const stored = await under.store.put(archive).catch(() => undefined);
        if (stored === undefined) return;
        const directory = under.store.directory(stored.sha256);
        for (const path of await readdir(directory, { recursive: true })) {
          const real = await realpath(join(directory, path)).catch(() => directory);
          expect(real === directory || real.startsWith(`${directory}/`)).toBe(true);
          if ((await lstat(join(directory, path))).isSymbolicLink()) acceptedLinks += 1;
        }
      }),
      { numRuns: 300 },
    );
    expect(acceptedLinks).toBeGreaterThan(10);
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
