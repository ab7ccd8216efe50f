import { accessSync, constants, mkdirSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { loadDiskImageCalls } from '../../../system-calls/disk-image-calls.ts';
import type { LinuxSystemCalls } from '../../../system-calls/linux-system-calls.ts';
import { loadMountTreeCalls } from '../../../system-calls/mount-tree-calls.ts';
import { MemoryFolders, type TemporaryFolders } from '../temporary-folders.ts';
import { DiskFolders } from './disk-folders.ts';
import { findStoragePrograms } from './storage-programs.ts';

/** Why /tmp is kept in memory, and what would keep it on disk. */
export interface DiskObstacle {
  readonly reason: string;
  readonly remedy: string;
}

export interface OpenedFolders {
  readonly folders: TemporaryFolders;
  /** Undefined where they are on disk. */
  readonly obstacle: DiskObstacle | undefined;
}

/** File systems whose pages are memory. */
const MEMORY_FILE_SYSTEMS = new Map([
  [0x0102_1994, 'tmpfs'],
  [0x8584_58f6, 'ramfs'],
]);

/**
 * Opens what gives sandboxes a /tmp of a fixed size: on disk where that really works, which is tried,
 * else in memory. Needs root.
 *
 * @param instanceFolder of this server alone, in the data folder
 */
export async function openTemporaryFolders(
  linux: LinuxSystemCalls,
  instanceFolder: string,
): Promise<OpenedFolders> {
  const folders = await tryDisk(instanceFolder);
  if (folders instanceof DiskFolders) return { folders, obstacle: undefined };
  return { folders: new MemoryFolders(linux), obstacle: folders };
}

async function tryDisk(instanceFolder: string): Promise<DiskFolders | DiskObstacle> {
  const programs = findStoragePrograms();
  if (programs === undefined) {
    return { reason: 'mke2fs and tune2fs are missing', remedy: 'install the package e2fsprogs' };
  }
  try {
    accessSync('/dev/loop-control', constants.R_OK | constants.W_OK);
  } catch {
    return { reason: 'there are no loop devices', remedy: 'run: modprobe loop' };
  }
  const memoryType = MEMORY_FILE_SYSTEMS.get((await statfs(instanceFolder)).type);
  if (memoryType !== undefined) {
    return {
      reason: `the data folder is in memory (${memoryType})`,
      remedy: 'start with --data-dir on a disk',
    };
  }
  const calls = { image: await loadDiskImageCalls(), tree: await loadMountTreeCalls() };
  const directory = join(instanceFolder, 'disks');
  mkdirSync(directory, { mode: 0o700 });
  const folders = new DiskFolders(calls, programs, directory);
  try {
    await folders.prepare();
    return folders;
  } catch (error) {
    await folders[Symbol.asyncDispose]();
    const reason = error instanceof Error ? error.message : String(error);
    return {
      reason: `a file system in a file cannot be mounted: ${reason}`,
      remedy: 'run: modprobe -a loop ext4; give a container its loop devices',
    };
  }
}
