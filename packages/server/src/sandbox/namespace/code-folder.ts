import { sep } from 'node:path';
import { CodeFolderError } from '../sandbox.ts';

/**
 * Refuses to run a folder in place that is, holds or lies in one of the server's own: there is what
 * other functions keep to themselves.
 *
 * @param ownFolders absolute, without symbolic links
 * @throws CodeFolderError
 */
export function checkCodeFolder(path: string, ownFolders: readonly string[]): void {
  const own = ownFolders.find((folder) => isWithin(path, folder) || isWithin(folder, path));
  if (own === undefined) return;
  throw new CodeFolderError(
    `Cannot run code in place as it must be apart from the server's own folder ${own}: ${path}`,
  );
}

/** True for a folder itself and whatever lies in it; both are absolute, without links. */
export function isWithin(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
