import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  type LinuxSystemCalls,
  loadLinuxSystemCalls,
} from '../../../system-calls/linux-system-calls.ts';
import { loadDiskImageCalls } from '../../../system-calls/disk-image-calls.ts';
import { loadMountTreeCalls } from '../../../system-calls/mount-tree-calls.ts';
import { unmountIfMounted } from '../mount-folder.ts';
import type { TemporaryFolder } from '../temporary-folders.ts';
import { DiskFolders } from './disk-folders.ts';
import { loopFiles } from './loop-files-fixture.ts';
import { openTemporaryFolders } from './open-temporary-folders.ts';
import { findStoragePrograms } from './storage-programs.ts';

const BYTES_PER_MB = 1_048_576;
const obstacle = await findObstacle();

async function findObstacle(): Promise<string | undefined> {
  if (process.platform !== 'linux' || process.getuid?.() !== 0) return 'it needs root';
  const folder = mkdtempSync(join(tmpdir(), 'hearth-disk-'));
  try {
    const opened = await openTemporaryFolders(await loadLinuxSystemCalls(), folder);
    await opened.folders[Symbol.asyncDispose]();
    return opened.obstacle?.reason.replaceAll(/[()]/g, '');
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const TOLD = obstacle === undefined ? 'there are loop devices' : `skipped as ${obstacle}`;

describe.skipIf(obstacle !== undefined)(`temporary folders on disk (${TOLD})`, () => {
  let linux: LinuxSystemCalls;
  let root: string;
  let count = 0;
  beforeAll(async () => {
    linux = await loadLinuxSystemCalls();
    root = mkdtempSync(join(tmpdir(), 'hearth-disk-'));
  });
  afterAll(() => {
    rmSync(root, { recursive: true });
  });

  async function openFolders(reserve: number): Promise<DiskFolders> {
    const calls = { image: await loadDiskImageCalls(), tree: await loadMountTreeCalls() };
    const programs = findStoragePrograms();
    if (programs === undefined) throw new Error('no programs');
    count += 1;
    const directory = join(root, `disks-${count}`);
    mkdirSync(directory);
    return new DiskFolders(calls, programs, directory, reserve);
  }

  /** A folder in a place of its own; taken away by dispose. */
  async function mounted(
    folders: DiskFolders,
    sizeMb: number,
  ): Promise<{ path: string } & AsyncDisposable> {
    count += 1;
    const path = join(root, `tmp-${count}`);
    mkdirSync(path);
    let folder: TemporaryFolder;
    try {
      folder = await folders.mount(path, sizeMb);
    } catch (error) {
      rmdirSync(path);
      throw error;
    }
    return {
      path,
      [Symbol.asyncDispose]: async () => {
        await unmountIfMounted(linux, path);
        await folder.release();
        rmdirSync(path);
      },
    };
  }

  test.each([1, 8, 512, 700, 10_240])(
    'one of %i MB has room for exactly that, and nothing in it',
    async (sizeMb) => {
      await using folders = await openFolders(0);
      await using tmp = await mounted(folders, sizeMb);
      const { bavail, bsize } = statfsSync(tmp.path);
      expect(bavail * bsize).toBe(sizeMb * BYTES_PER_MB);
      expect(readdirSync(tmp.path)).toEqual([]);
      expect(statSync(tmp.path).mode & 0o7777).toBe(0o1777);
    },
  );

  test('its mount has no devices and no set-uid programs', async () => {
    await using folders = await openFolders(0);
    await using tmp = await mounted(folders, 1);
    const line = readFileSync('/proc/self/mountinfo', 'utf8')
      .split('\n')
      .find((mount) => mount.includes(` ${tmp.path} `));
    expect(line).toMatch(/ rw,nosuid,nodev,noatime( .*)? - ext4 \/dev\/loop\d+ /);
  });

  test('takes no room on disk before it is written to', async () => {
    await using folders = await openFolders(0);
    const before = statfsSync(root);
    await using tmp = await mounted(folders, 10_240);
    expect(existsSync(tmp.path)).toBe(true);
    const after = statfsSync(root);
    // Others write to the same disk meanwhile.
    expect((before.bfree - after.bfree) * before.bsize).toBeLessThan(512 * BYTES_PER_MB);
  });

  test('some are kept ready, and what is taken is made again', async () => {
    await using folders = await openFolders(2);
    await folders.prepare();
    await folders.settled();
    expect(folders.readyCount).toBe(2);
    await using first = await mounted(folders, 512);
    await using second = await mounted(folders, 512);
    expect(first.path).not.toBe(second.path);
    await folders.settled();
    expect(folders.readyCount).toBe(2);
  });

  test('more at once than are ready are made at once', async () => {
    await using folders = await openFolders(1);
    await folders.prepare();
    await using all = new AsyncDisposableStack();
    const made = await Promise.all(Array.from({ length: 12 }, () => mounted(folders, 512)));
    for (const each of made) all.use(each);
    for (const { path } of made) writeFileSync(join(path, 'mine'), path);
    for (const { path } of made) expect(readFileSync(join(path, 'mine'), 'utf8')).toBe(path);
  });

  test('what was written to one is in no other, and gone with it', async () => {
    await using folders = await openFolders(1);
    {
      await using tmp = await mounted(folders, 512);
      writeFileSync(join(tmp.path, 'secret'), 'x'.repeat(100_000));
    }
    await folders.settled();
    await using next = await mounted(folders, 512);
    expect(readdirSync(next.path)).toEqual([]);
  });

  test('leaves no file, no device and no mount', async () => {
    {
      await using folders = await openFolders(3);
      await folders.prepare();
      await using tmp = await mounted(folders, 512);
      writeFileSync(join(tmp.path, 'file'), Buffer.alloc(5e6, 1));
      expect(loopFiles(root).length).toBeGreaterThan(0);
    }
    expect(loopFiles(root)).toEqual([]);
    expect(readdirSync(join(root, `disks-${count - 1}`))).toEqual([]);
    expect(readFileSync('/proc/self/mountinfo', 'utf8')).not.toContain(root);
  });

  test('one that cannot be made leaves nothing and is told to who waits', async () => {
    await using folders = await openFolders(2);
    rmdirSync(join(root, `disks-${count}`));
    await expect(mounted(folders, 512)).rejects.toThrow('ENOENT');
    await folders.settled();
    mkdirSync(join(root, `disks-${count - 1}`));
    await using tmp = await mounted(folders, 512);
    expect(readdirSync(tmp.path)).toEqual([]);
  });
});

test('programs are looked for in folders with an absolute path only', () => {
  expect(findStoragePrograms(['/nonexistent', 'usr/sbin', ''])).toBeUndefined();
});
