import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Programs of e2fsprogs; absolute paths. */
export interface StoragePrograms {
  readonly mkfs: string;
  readonly tune2fs: string;
}

/** Where distributions put them; a user's PATH often lacks these. */
const SYSTEM_FOLDERS = ['/usr/sbin', '/sbin', '/usr/local/sbin'];

/** Undefined where one is missing. */
export function findStoragePrograms(folders = searchedFolders()): StoragePrograms | undefined {
  const absolute = folders.filter((folder) => folder.startsWith('/'));
  const find = (name: string): string | undefined =>
    absolute.map((folder) => join(folder, name)).find(isExecutable);
  const [mkfs, tune2fs] = [find('mke2fs'), find('tune2fs')];
  return mkfs === undefined || tune2fs === undefined ? undefined : { mkfs, tune2fs };
}

function searchedFolders(): string[] {
  return [...(process.env['PATH'] ?? '').split(delimiter), ...SYSTEM_FOLDERS];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
