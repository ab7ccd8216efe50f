import { stat } from 'node:fs/promises';
import { dirname } from 'node:path';

const WRITABLE_BY_OTHERS = 0o022;
const STICKY = 0o1000;

/**
 * The file or folder at or above `path` that another user than root could change, so that nothing
 * below it may run as root; undefined where there is none. In a folder like /tmp, what is root's
 * stays in its place.
 *
 * @param path absolute, without symbolic links
 */
export async function changeableByOthers(path: string): Promise<string | undefined> {
  const { uid, mode } = await stat(path);
  const isShared = (mode & WRITABLE_BY_OTHERS) !== 0 && (mode & STICKY) === 0;
  if (uid !== 0 || isShared) return path;
  const parent = dirname(path);
  return parent === path ? undefined : changeableByOthers(parent);
}
