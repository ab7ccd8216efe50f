import { readdir } from 'node:fs/promises';
import { join } from 'node:path';

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
  } catch {
    // There is no such folder, or it is a file.
    return [];
  }
}
