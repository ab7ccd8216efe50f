import { execFile } from 'node:child_process';
import { close as closeFile } from 'node:fs';
import {
  chmod,
  type FileHandle,
  open,
  rmdir,
  statfs,
  truncate,
  unlink,
  writeFile,
} from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LOOP_BLOCK_BYTES, type DiskImageCalls } from '../../../system-calls/disk-image-calls.ts';
import type { StoragePrograms } from './storage-programs.ts';

/** An empty file system as a file: where its blocks are that are not zero. */
export interface DiskTemplate {
  readonly bytes: number;
  readonly parts: readonly { readonly offset: number; readonly content: Buffer }[];
}

const BYTES_PER_MB = 1_048_576;
/** One inode of 256 bytes for each of them. */
const BYTES_PER_INODE = 8_192;
const INODE_BYTES = 256;
/** The kernel keeps a fiftieth for itself, at most 4,096 blocks. */
const KERNEL_RESERVE = 0.02;
const MAX_KERNEL_RESERVE_BYTES = 4_096 * LOOP_BLOCK_BYTES;
/** Bitmaps, descriptors and copies of them. */
const METADATA_SHARE = 0.002;
const METADATA_BYTES = 256 * 1_024;

/** All that mke2fs would otherwise take from the machine's configuration. No journal: nothing survives. */
const FEATURES =
  'none,ext_attr,dir_index,filetype,extent,flex_bg,sparse_super,large_file,huge_file,dir_nlink,extra_isize,metadata_csum';

/**
 * Options of mounts: nothing is written that only a crash would need, and the tables of inodes, which
 * are holes in the file and so zero, are not written at all.
 */
export const DISK_MOUNT_OPTIONS = {
  nobarrier: true,
  noinit_itable: true,
  noauto_da_alloc: true,
  errors: 'continue',
} as const;

const MKFS_PARAMETERS = [
  ['-q', '-F', '-t', 'ext4', '-b', String(LOOP_BLOCK_BYTES)],
  ['-I', String(INODE_BYTES), '-i', String(BYTES_PER_INODE), '-m', '0', '-O', FEATURES],
  ['-E', 'lazy_itable_init=1,nodiscard,root_owner=0:0'],
].flat();

const execute = promisify(execFile);
const close = promisify(closeFile);

/**
 * Makes an ext4 file system with room for exactly `sizeMb` of files of a user, and nothing in it:
 * all that is more is reserved for root.
 *
 * @param folder for the file, which is gone when this returns
 */
export async function createDiskTemplate(
  image: DiskImageCalls,
  programs: StoragePrograms,
  folder: string,
  sizeMb: number,
): Promise<DiskTemplate> {
  const path = join(folder, `template-${sizeMb}.ext4`);
  await writeFile(path, '', { mode: 0o600 });
  try {
    await truncate(path, imageBytes(sizeMb));
    await run(programs.mkfs, [...MKFS_PARAMETERS, path]);
    const surplus = (await prepareRoot(image, path)) - sizeMb * (BYTES_PER_MB / LOOP_BLOCK_BYTES);
    if (surplus < 0) throw new Error(`the file system is ${-surplus} blocks too small`);
    await run(programs.tune2fs, ['-r', String(surplus), path]);
    return await readTemplate(image, path);
  } finally {
    await unlink(path);
  }
}

function imageBytes(sizeMb: number): number {
  const usable = sizeMb * BYTES_PER_MB;
  const share = INODE_BYTES / BYTES_PER_INODE + METADATA_SHARE;
  const reserve = Math.min(usable * KERNEL_RESERVE * (1 + 2 * share), MAX_KERNEL_RESERVE_BYTES);
  const bytes = (usable + reserve + METADATA_BYTES) / (1 - share);
  return Math.ceil(bytes / LOOP_BLOCK_BYTES) * LOOP_BLOCK_BYTES;
}

async function run(program: string, parameters: string[]): Promise<void> {
  // An empty configuration, as defaults differ between distributions.
  await execute(program, parameters, { env: { MKE2FS_CONFIG: '/dev/null', LC_ALL: 'C' } });
}

/** Makes the root a /tmp; resolves to the blocks that a user can have. */
async function prepareRoot(image: DiskImageCalls, path: string): Promise<number> {
  await using file = await open(path, 'r+');
  const device = await image.attachLoopDevice(file.fd);
  let mount: number;
  try {
    mount = await image.createMount({
      type: 'ext4',
      source: device.path,
      options: DISK_MOUNT_OPTIONS,
    });
  } finally {
    await close(device.descriptor);
  }
  try {
    const root = `/proc/self/fd/${mount}/`;
    await rmdir(join(root, 'lost+found'));
    await chmod(root, 0o1777);
    return (await statfs(root)).bavail;
  } finally {
    // The last use of the file system: when this returns, all is in the file.
    await close(mount);
  }
}

async function readTemplate(image: DiskImageCalls, path: string): Promise<DiskTemplate> {
  await using file = await open(path, 'r');
  const { size: bytes } = await file.stat();
  const parts: { offset: number; content: Buffer }[] = [];
  for (let offset = 0; ;) {
    const extent = image.nextExtent(file.fd, offset);
    if (extent === undefined) return { bytes, parts };
    for (let start = extent.start; start < extent.end; start += READ_BYTES) {
      const content = await readPart(file, start, Math.min(READ_BYTES, extent.end - start));
      // File systems without holes tell of one extent that is nearly all zeros.
      parts.push(...nonZeroParts(start, content));
    }
    offset = extent.end;
  }
}

const READ_BYTES = BYTES_PER_MB;

async function readPart(file: FileHandle, offset: number, bytes: number): Promise<Buffer> {
  const content = Buffer.alloc(bytes);
  const { bytesRead } = await file.read(content, 0, bytes, offset);
  if (bytesRead !== bytes) throw new Error('the template ends early');
  return content;
}

function nonZeroParts(offset: number, content: Buffer): { offset: number; content: Buffer }[] {
  const parts: { offset: number; content: Buffer }[] = [];
  for (let start = 0; start < content.length; start += LOOP_BLOCK_BYTES) {
    const block = content.subarray(start, start + LOOP_BLOCK_BYTES);
    if (block.equals(ZEROS.subarray(0, block.length))) continue;
    parts.push({ offset: offset + start, content: Buffer.from(block) });
  }
  return parts;
}

const ZEROS = Buffer.alloc(LOOP_BLOCK_BYTES);
