import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lstat, mkdir, open } from 'node:fs/promises';
import { join } from 'node:path';
import { MAX_ZIPPED_BYTES } from '../domain/limits.ts';
import { emptyArchive, zippedTooLarge } from './archive-error.ts';
import type { CodeStore, StoredCode } from './code-store.ts';
import { eachAtOnce } from './each-at-once.ts';
import { KeyedFolders, type KeyedFoldersOptions } from './keyed-folders.ts';
import { unpackArchive } from './unpack-archive.ts';
import { walkTree } from './walk-tree.ts';

export type DirectoryCodeStoreOptions = KeyedFoldersOptions;

/**
 * Code on disk: `<root>/<SHA-256 in hex>/` holds `code/`, readable by every user and writable by
 * none, and `archive.zip`, for the server alone.
 */
export class DirectoryCodeStore implements CodeStore {
  readonly #folders: KeyedFolders;
  /** Unpacked sizes that have been asked for, by key. */
  readonly #unzippedBytes = new Map<string, number>();

  private constructor(folders: KeyedFolders) {
    this.#folders = folders;
  }

  /** Makes the folders and removes what an earlier server left half done. */
  static async open(options: DirectoryCodeStoreOptions): Promise<DirectoryCodeStore> {
    return new DirectoryCodeStore(await KeyedFolders.open(options));
  }

  async put(archive: Uint8Array): Promise<StoredCode> {
    if (archive.byteLength === 0) throw emptyArchive();
    if (archive.byteLength > MAX_ZIPPED_BYTES) throw zippedTooLarge();
    const digest = createHash('sha256').update(archive).digest();
    await this.#folders.ensure(digest.toString('hex'), (staging) => unpack(archive, staging));
    return { sha256: digest.toString('base64'), sizeBytes: archive.byteLength };
  }

  directory(sha256: string): string {
    return join(this.#folders.path(toKey(sha256)), 'code');
  }

  archive(sha256: string): NodeJS.ReadableStream {
    return createReadStream(join(this.#folders.path(toKey(sha256)), 'archive.zip'));
  }

  async has(sha256: string): Promise<boolean> {
    return await this.#folders.has(toKey(sha256));
  }

  async keep(sha256: string): Promise<boolean> {
    return await this.#folders.keep(toKey(sha256));
  }

  async unzippedBytes(sha256: string): Promise<number> {
    const key = toKey(sha256);
    let bytes = this.#unzippedBytes.get(key);
    if (bytes === undefined) {
      bytes = await unpackedBytes(this.directory(sha256));
      this.#unzippedBytes.set(key, bytes);
    }
    return bytes;
  }

  async retain(sha256s: ReadonlySet<string>): Promise<void> {
    const kept = new Set([...sha256s].map((sha256) => toKey(sha256)));
    for (const key of this.#unzippedBytes.keys()) {
      if (!kept.has(key)) this.#unzippedBytes.delete(key);
    }
    await this.#folders.retain(kept);
  }
}

async function unpack(archive: Uint8Array, staging: string): Promise<void> {
  const code = join(staging, 'code');
  await mkdir(code, 0o755);
  const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
  await unpackArchive(bytes, code);
  await writeDurably(join(staging, 'archive.zip'), bytes);
}

/** Bytes of the files and of the links' targets below a folder. */
async function unpackedBytes(root: string): Promise<number> {
  const paths: string[] = [];
  for await (const { names, kind } of walkTree(root)) {
    if (kind !== 'folder') paths.push(join(root, ...names));
  }
  let bytes = 0;
  await eachAtOnce(paths, async (path) => {
    const { size } = await lstat(path);
    bytes += size;
  });
  return bytes;
}

/** Also keeps anything but a hash out of paths. */
function toKey(sha256: string): string {
  const digest = Buffer.from(sha256, 'base64');
  if (digest.length !== 32 || digest.toString('base64') !== sha256) {
    throw new RangeError(
      `Cannot find code as sha256 must be 32 bytes in base64: received ${JSON.stringify(sha256.slice(0, 100))}`,
    );
  }
  return digest.toString('hex');
}

async function writeDurably(path: string, bytes: Buffer): Promise<void> {
  const handle = await open(path, 'wx', 0o600);
  try {
    await handle.writeFile(bytes);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
