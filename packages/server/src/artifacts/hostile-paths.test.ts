import { lstat, readdir, readFile, readlink, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { array, assert, asyncProperty, constantFrom, option, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';
import { accepted, link, newStore, refusalOf, unicodePath } from './archive-trial.ts';
import { craftZip, extraField } from './crafted-zip.ts';

describe('archives with hostile paths', () => {
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
        for (const [names, to] of drawn) {
          if (to === null) continue;
          acceptedLinks += 1;
          // A link to nowhere resolves to nothing.
          const real = await realpath(join(directory, ...names)).catch(() => directory);
          expect(real === directory || real.startsWith(`${directory}/`)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
    expect(acceptedLinks).toBeGreaterThan(10);
  });
});
