import type { Dirent } from 'node:fs';
import { readdir, readFile, readlink, stat } from 'node:fs/promises';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { MAX_UNZIPPED_BYTES } from '../domain/limits.ts';
import { CommandError } from './command.ts';

interface ArchiveEntry {
  /** Path inside the archive, with `/`. */
  readonly name: string;
  readonly content: Buffer;
  readonly mode: number;
}

/** Left out wherever it is: it is the history of the code, not the code. */
const EXCLUDED = new Set(['.git']);
const REGULAR_FILE = 0o100_000;
const SYMBOLIC_LINK = 0o120_000;

/**
 * Makes a zip archive of a folder's content, in memory. The same content gives the same bytes, so that
 * its hash tells whether it changed: entries are sorted, times and owners left out, of the modes only
 * the execute bit kept. Symbolic links are kept where they stay inside. Rejects with CommandError.
 */
export async function zipDirectory(directory: string): Promise<Buffer> {
  const entries = await readEntries(directory);
  if (entries.length === 0) throw new CommandError(`Cannot archive ${directory} as it is empty`);
  const { ZipFile } = await import('yazl');
  const archive = new ZipFile();
  const failed = new Promise<never>((_resolve, reject) => {
    archive.on('error', reject);
  });
  // Zip has no time zones, and no time before 1980.
  const mtime = new Date(1980, 0, 1, 12);
  for (const { name, content, mode } of entries) {
    archive.addBuffer(content, name, { mode, mtime, forceDosTimestamp: true });
  }
  archive.end();
  return Promise.race([collect(archive.outputStream), failed]);
}

async function collect(stream: NodeJS.ReadableStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks);
}

async function readEntries(root: string): Promise<ArchiveEntry[]> {
  const entries: ArchiveEntry[] = [];
  let totalBytes = 0;
  const waiting = [root];
  for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
    for (const item of await listFolder(folder)) {
      if (EXCLUDED.has(item.name)) continue;
      const path = join(folder, item.name);
      if (item.isDirectory()) {
        waiting.push(path);
        continue;
      }
      const entry = await readEntry(root, path, item);
      totalBytes += entry.content.length;
      if (totalBytes > MAX_UNZIPPED_BYTES) {
        throw new CommandError(
          `Cannot archive ${root} as its files must be at most ${MAX_UNZIPPED_BYTES} bytes together`,
        );
      }
      entries.push(entry);
    }
  }
  return entries.sort((a, b) => (a.name < b.name ? -1 : 1));
}

async function listFolder(folder: string): Promise<Dirent[]> {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    throw new CommandError(`Cannot read folder ${folder}: ${reasonOf(error)}`, { cause: error });
  }
}

async function readEntry(root: string, path: string, item: Dirent): Promise<ArchiveEntry> {
  const name = relative(root, path).split(sep).join('/');
  if (item.isSymbolicLink()) {
    const target = await readlink(path);
    if (!isInside(resolve(dirname(path), target), root) || target.startsWith('/')) {
      throw new CommandError(`Cannot archive ${path} as it is a link that leads out of ${root}`);
    }
    return { name, content: Buffer.from(target), mode: SYMBOLIC_LINK | 0o777 };
  }
  if (!item.isFile()) {
    throw new CommandError(`Cannot archive ${path} as it must be a file, a folder or a link`);
  }
  try {
    const { mode, size } = await stat(path);
    if (size > MAX_UNZIPPED_BYTES) {
      throw new CommandError(
        `Cannot archive ${path} as it is longer than ${MAX_UNZIPPED_BYTES} bytes`,
      );
    }
    const isExecutable = (mode & 0o111) !== 0;
    return {
      name,
      content: await readFile(path),
      mode: REGULAR_FILE | (isExecutable ? 0o755 : 0o644),
    };
  } catch (error) {
    if (error instanceof CommandError) throw error;
    throw new CommandError(`Cannot read ${path}: ${reasonOf(error)}`, { cause: error });
  }
}

function isInside(path: string, folder: string): boolean {
  const root = resolve(folder);
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}

function reasonOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error);
}
