import { chmod, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { hasCode } from './file-error.ts';

const DENIED = new Set(['EACCES', 'EPERM']);
const ABSENT = new Set(['ENOENT', 'ENOTDIR']);

/**
 * Removes a folder with all that is in it, read-only folders included; no link is followed. A folder
 * that is not there is no error.
 */
export async function removeTree(path: string): Promise<void> {
  try {
    await rm(path, { recursive: true, force: true });
  } catch (error) {
    if (!hasCode(error, DENIED)) throw error;
    // Only root may empty a folder that it cannot write to.
    await makeFoldersWritable(path);
    await rm(path, { recursive: true, force: true });
  }
}

async function makeFoldersWritable(path: string): Promise<void> {
  try {
    await chmod(path, 0o700);
    for (const entry of await readdir(path, { withFileTypes: true })) {
      if (entry.isDirectory()) await makeFoldersWritable(join(path, entry.name));
    }
  } catch (error) {
    // The removal that was refused goes on with the other folders meanwhile.
    if (!hasCode(error, ABSENT)) throw error;
  }
}
