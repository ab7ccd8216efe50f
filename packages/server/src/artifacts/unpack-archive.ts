import { open, mkdir, symlink, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { MAX_UNZIPPED_BYTES } from '../domain/limits.ts';
import { ArchiveTree } from './archive-tree.ts';
import { cannotUnzip } from './archive-error.ts';
import { MAX_PATH_BYTES } from './archive-limits.ts';
import { entryKind } from './entry-kind.ts';
import { parseEntryPath, parseLinkTarget } from './entry-path.ts';
import { eachAtOnce } from './each-at-once.ts';
import { hasCode } from '../files/file-error.ts';
import { syncPath } from '../files/sync-path.ts';
import { readContent, UnzippedBudget } from './member-content.ts';
import { sealFolder } from './seal-folder.ts';
import { readZipEntries, type ZipEntry } from './zip-entries.ts';

const ENTRIES_PER_TURN = 500;
const FILE_MODE = 0o444;
const EXECUTABLE_MODE = 0o555;
const MAX_TIME_SECONDS = 0xffffffff;
/** What file systems say to a path that they cannot hold, or (where case is ignored) hold already. */
const NAME_FAULTS = new Set(['EEXIST', 'ENAMETOOLONG', 'EILSEQ', 'EINVAL', 'ENOTDIR', 'EISDIR']);

interface PlannedFile {
  readonly path: string;
  readonly executable: boolean;
  readonly entry: ZipEntry;
}
interface PlannedLink {
  readonly path: string;
  readonly target: string;
}

/**
 * Checks an archive and unpacks it into `directory`, an empty folder that exists. Files become
 * read-only for everybody, keep "executable" and the archive's times, and are on disk when this
 * settles. Rejects with a ServiceError where the archive is refused, with the file system's error
 * where writing fails; either way nothing is written outside and the caller removes `directory`.
 */
export async function unpackArchive(archive: Buffer, directory: string): Promise<void> {
  const budget = new UnzippedBudget(MAX_UNZIPPED_BYTES);
  const { tree, files, links } = await plan(await readZipEntries(archive), budget);
  try {
    for (const path of tree.folderPaths) await mkdir(join(directory, path), 0o755);
    await eachAtOnce(files, (file, signal) => writeFile(directory, file, budget, signal));
    // After all were written: one commit of the journal then serves many of them.
    await eachAtOnce(files, ({ path }) => syncPath(join(directory, path)));
    // Last, so that no file can be written through one, on any file system.
    for (const link of links) await symlink(link.target, join(directory, link.path));
    for (const path of tree.folderPaths.toReversed()) await sealFolder(join(directory, path));
    await sealFolder(directory);
  } catch (error) {
    throw hasCode(error, NAME_FAULTS)
      ? cannotUnzip('the file system refuses a path', error)
      : error;
  }
}

async function plan(
  entries: readonly ZipEntry[],
  budget: UnzippedBudget,
): Promise<{ tree: ArchiveTree; files: PlannedFile[]; links: PlannedLink[] }> {
  const tree = new ArchiveTree();
  const files: PlannedFile[] = [];
  const links: PlannedLink[] = [];
  for (const [index, entry] of entries.entries()) {
    // Others get their turn while a large archive is planned.
    if (index % ENTRIES_PER_TURN === 0) await nextTurn();
    const { names, isFolderName } = parseEntryPath(entry.name);
    const kind = entryKind(entry, isFolderName);
    const path = names.join('/');
    if (kind.kind === 'file') {
      tree.addFile(names);
      files.push({ path, executable: kind.executable, entry });
    } else if (kind.kind === 'folder') {
      if (entry.uncompressedSize !== 0) throw cannotUnzip('a folder has content');
      tree.addFolder(names);
    } else {
      const target = parseLinkTarget(await linkContent(entry, budget));
      tree.addLink(names, target);
      links.push({ path, target: target.join('/') || '.' });
    }
  }
  tree.assertLinksStayInside();
  return { tree, files, links };
}

async function linkContent(entry: ZipEntry, budget: UnzippedBudget): Promise<Buffer> {
  const pieces: Buffer[] = [];
  if (entry.uncompressedSize > MAX_PATH_BYTES)
    throw cannotUnzip('the target of a link is too long');
  // oxlint-disable-next-line require-await
  await readContent(entry, budget, async (piece) => void pieces.push(piece));
  return Buffer.concat(pieces);
}

async function writeFile(
  directory: string,
  file: PlannedFile,
  budget: UnzippedBudget,
  signal: AbortSignal,
): Promise<void> {
  // "x" also refuses to follow a link in the last place.
  const handle = await open(join(directory, file.path), 'wx', 0o600);
  try {
    await readContent(file.entry, budget, async (piece) => {
      signal.throwIfAborted();
      await writeAll(handle, piece);
    });
    // Not by open: the server's umask would take bits away.
    await handle.chmod(file.executable ? EXECUTABLE_MODE : FILE_MODE);
    const seconds = clampTime(file.entry.modifiedAt);
    await handle.utimes(seconds, seconds);
  } finally {
    await handle.close();
  }
}

async function writeAll(handle: FileHandle, piece: Buffer): Promise<void> {
  for (let at = 0; at < piece.length;) {
    at += (await handle.write(piece, at)).bytesWritten;
  }
}

function clampTime(date: Date): number {
  const seconds = Math.floor(date.getTime() / 1_000);
  return Number.isFinite(seconds) ? Math.min(Math.max(seconds, 0), MAX_TIME_SECONDS) : 0;
}
