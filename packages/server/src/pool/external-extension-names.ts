import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../system-calls/error-code.ts';

/**
 * Names of the external extensions among merged layers: the files directly in their folder
 * `extensions`, in the order in which they are started.
 */
export async function externalExtensionNames(opt: string | undefined): Promise<string[]> {
  if (opt === undefined) return [];
  try {
    const entries = await readdir(join(opt, 'extensions'), { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .toSorted();
  } catch (error) {
    const code = errorCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return [];
    throw error;
  }
}
