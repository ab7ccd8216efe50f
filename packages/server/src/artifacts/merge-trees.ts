import { constants, copyFile, link, mkdir, open, stat, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { ServiceError } from '../domain/service-error.ts';
import { hasCode } from '../files/file-error.ts';
import { ArchiveTree } from './archive-tree.ts';
import { eachAtOnce } from './each-at-once.ts';
import { sealFolder } from './seal-folder.ts';
import { walkTree } from './walk-tree.ts';

type MergedNode =
  | { readonly kind: 'file'; readonly source: string }
  | { readonly kind: 'link'; readonly target: string }
  | MergedFolder;
interface MergedFolder {
  readonly kind: 'folder';
  readonly children: Map<string, MergedNode>;
}

/** What a file system says that has no hard links, or none between these places, or no more of them. */
const NO_HARD_LINK = new Set(['EXDEV', 'EPERM', 'EMLINK', 'ENOTSUP', 'EOPNOTSUPP', 'ENOSYS']);

/**
 * Puts unpacked archives on top of each other into `directory`, an empty folder that exists, as if
 * they were unpacked there in order: folders are joined, of anything else at the same path the later
 * one is left. A link in the place of a folder is replaced, never written through. Files are hard links
 * to the sources' where the file system allows it, else copies. All of it is read-only and on disk
 * when this settles.
 *
 * Rejects with an InvalidParameterValueException where a link, which led nowhere else in its own
 * archive, would lead out of the merged folder, or where there are too many files.
 */
export async function mergeTrees(sources: readonly string[], directory: string): Promise<void> {
  const merged = await plan(sources);
  const folders: string[] = [];
  const files: { readonly source: string; readonly path: string }[] = [];
  const links: { readonly target: string; readonly path: string }[] = [];
  const tree = new ArchiveTree();
  try {
    for (const [names, node] of nodesBelow(merged, [])) {
      const path = join(directory, ...names);
      if (node.kind === 'folder') {
        tree.addFolder(names);
        folders.push(path);
      } else if (node.kind === 'file') {
        tree.addFile(names);
        files.push({ source: node.source, path });
      } else {
        tree.addLink(names, node.target.split('/').filter(isName));
        links.push({ target: node.target, path });
      }
    }
    tree.assertLinksStayInside();
  } catch (error) {
    throw cannotMerge(error);
  }
  for (const path of folders) await mkdir(path, 0o755);
  await eachAtOnce(files, ({ source, path }) => linkOrCopy(source, path));
  for (const { target, path } of links) await symlink(target, path);
  for (const path of folders.toReversed()) await sealFolder(path);
  await sealFolder(directory);
}

async function plan(sources: readonly string[]): Promise<MergedFolder> {
  const root: MergedFolder = { kind: 'folder', children: new Map() };
  for (const source of sources) {
    for await (const entry of walkTree(source)) {
      const { names } = entry;
      const parent = folderAt(root, names.slice(0, -1));
      const name = names.at(-1) ?? '';
      if (entry.kind === 'file') {
        parent.children.set(name, { kind: 'file', source: join(source, ...names) });
      } else if (entry.kind === 'link') {
        parent.children.set(name, { kind: 'link', target: entry.target });
      } else if (parent.children.get(name)?.kind !== 'folder') {
        parent.children.set(name, { kind: 'folder', children: new Map() });
      }
    }
  }
  return root;
}

/** The walk names a folder before what is in it, so that every folder on the way is there. */
function folderAt(root: MergedFolder, names: readonly string[]): MergedFolder {
  let folder = root;
  for (const name of names) {
    const child = folder.children.get(name);
    if (child?.kind !== 'folder') throw new Error(`Cannot merge as ${name} must be a folder`);
    folder = child;
  }
  return folder;
}

/** Folders before what is in them. */
function* nodesBelow(
  folder: MergedFolder,
  parents: readonly string[],
): Generator<[string[], MergedNode]> {
  for (const [name, node] of folder.children) {
    const names = [...parents, name];
    yield [names, node];
    if (node.kind === 'folder') yield* nodesBelow(node, names);
  }
}

const isName = (name: string): boolean => name !== '' && name !== '.';

async function linkOrCopy(source: string, path: string): Promise<void> {
  try {
    await link(source, path);
  } catch (error) {
    if (!hasCode(error, NO_HARD_LINK)) throw error;
    await copy(source, path);
  }
}

/** A copy that shares its blocks where the file system can, with mode and time of the source. */
async function copy(source: string, path: string): Promise<void> {
  await copyFile(source, path, constants.COPYFILE_EXCL | constants.COPYFILE_FICLONE);
  const { mode, atime, mtime } = await stat(source);
  const handle = await open(path, 'r');
  try {
    await handle.chmod(mode & 0o777);
    await handle.utimes(atime, mtime);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** The reason is the tree's, which speaks of one archive; the text is Hearth's. */
function cannotMerge(error: unknown): unknown {
  if (!(error instanceof ServiceError)) return error;
  const reason = error.cause instanceof Error ? error.cause.message : error.message;
  return new ServiceError(
    'InvalidParameterValueException',
    `Cannot merge the layers as together they must unpack within one folder: ${reason}`,
    { cause: error },
  );
}
