import { readdir, readlink } from 'node:fs/promises';
import { join } from 'node:path';

/** Something in an unpacked archive. */
export type TreeEntry = {
  /** Names on the way from the root; never empty. */
  readonly names: readonly string[];
} & (
  | { readonly kind: 'file' | 'folder' }
  | {
      readonly kind: 'link';
      /** Where it points to. */
      readonly target: string;
    }
);

/**
 * Everything below a folder that was made from an archive, a folder before what is in it; no link is
 * followed. Such a folder is bounded in number and depth, which makes the walk bounded too.
 */
export async function* walkTree(root: string): AsyncGenerator<TreeEntry> {
  const pending: (readonly string[])[] = [[]];
  for (let parents = pending.pop(); parents !== undefined; parents = pending.pop()) {
    for (const item of await readdir(join(root, ...parents), { withFileTypes: true })) {
      const names = [...parents, item.name];
      if (item.isSymbolicLink()) {
        yield { names, kind: 'link', target: await readlink(join(root, ...names)) };
        continue;
      }
      if (item.isDirectory()) pending.push(names);
      yield { names, kind: item.isDirectory() ? 'folder' : 'file' };
    }
  }
}
