import { lstat, readdir } from 'node:fs/promises';
import type { Stats } from 'node:fs';
import { join } from 'node:path';

const READ = 0o004;
const READ_AND_TRAVERSE = 0o005;
/** More than a bootstrap has; what lies beyond is taken to be as the rest. */
const MAX_ENTRIES = 256;

/** True for a file or folder that every user may read, given that they reach it. */
export function isReadableByAll(stats: Stats): boolean {
  if (stats.isSymbolicLink()) return true;
  const wanted = stats.isDirectory() ? READ_AND_TRAVERSE : READ;
  return (stats.mode & wanted) === wanted;
}

/** The same of everything in a folder, as far as the first 256 entries tell. */
export async function isTreeReadableByAll(folder: string, stats: Stats): Promise<boolean> {
  if (!isReadableByAll(stats)) return false;
  const folders = [folder];
  let left = MAX_ENTRIES;
  for (const current of folders) {
    for (const name of (await readdir(current)).slice(0, left)) {
      left -= 1;
      const path = join(current, name);
      const found = await lstat(path);
      if (!isReadableByAll(found)) return false;
      if (found.isDirectory()) folders.push(path);
    }
  }
  return true;
}
