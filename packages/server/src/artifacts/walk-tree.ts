import { lstat, readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Something in an unpacked archive. */
export interface TreeEntry {
  /** Names on the way from the root; never empty. */
  readonly names: readonly string[];
  readonly kind: 'file' | 'folder' | 'link';
  /** Bytes of a file, or of a link's target; 0 for a folder. */
  readonly sizeBytes: number;
  /** Where a link points to; undefined for the others. */
  readonly target: string | undefined;
}

/**
 * Everything below a folder that was made from an archive, a folder before what is in it; no link is
 * followed. Such a folder is bounded in number and depth, which makes the walk bounded too.
 */
export async function* walkTree(
  root: string,
  parents: readonly string[] = [],
): AsyncGenerator<TreeEntry> {
  for (const item of await readdir(join(root, ...parents), { withFileTypes: true })) {
    const names = [...parents, item.name];
    const path = join(root, ...names);
    if (item.isDirectory()) {
      yield { names, kind: 'folder', sizeBytes: 0, target: undefined };
      yield* walkTree(root, names);
    } else if (item.isSymbolicLink()) {
      const target = await readlink(path);
      yield { names, kind: 'link', sizeBytes: Buffer.byteLength(target), target };
    } else {
      const { size } = await lstat(path);
      yield { names, kind: 'file', sizeBytes: size, target: undefined };
    }
  }
}
