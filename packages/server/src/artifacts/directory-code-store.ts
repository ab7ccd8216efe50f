import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { chmod, mkdir, mkdtemp, open, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock/clock.ts';
import { MAX_ZIPPED_BYTES } from '../domain/limits.ts';
import { emptyArchive, zippedTooLarge } from './archive-error.ts';
import type { CodeStore, StoredCode } from './code-store.ts';
import { hasCode } from '../files/file-error.ts';
import { removeTree } from '../files/remove-tree.ts';
import { unpackArchive } from './unpack-archive.ts';

const STAGING = '.staging';
const ABSENT = new Set(['ENOENT']);
const KEY = /^[0-9a-f]{64}$/;
/** Archives unpacked at the same time; the others wait their turn. */
const UNPACKS_AT_ONCE = 2;
const DEFAULT_RETAIN_GRACE_MS = 60_000;

export interface DirectoryCodeStoreOptions {
  /** Absolute; made if missing. One server at a time may use it. */
  readonly root: string;
  readonly clock: Clock;
  /**
   * How long `retain` spares an archive after a `put` of it settled, so that the caller has time to
   * write down that it is in use. Milliseconds, 60,000 if left out.
   */
  readonly retainGraceMs?: number;
}

/**
 * Code on disk: `<root>/<SHA-256 in hex>/` holds `code/`, readable by every user and writable by
 * none, and `archive.zip`, for the server alone. Such a folder is made under `<root>/.staging` and
 * renamed when all of it is on disk: what exists is complete, also after a crash.
 */
export class DirectoryCodeStore implements CodeStore {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #retainGraceMs: number;
  /** Puts under way, by key. */
  readonly #puts = new Map<string, Promise<void>>();
  /** Archives on their way out of the store, by key; settles when the folder has gone. */
  readonly #removals = new Map<string, Promise<string>>();
  /** When the last put of a key settled, on the monotonic scale. */
  readonly #putAtMs = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  #unpacking = 0;

  private constructor(options: DirectoryCodeStoreOptions) {
    this.#root = options.root;
    this.#clock = options.clock;
    this.#retainGraceMs = options.retainGraceMs ?? DEFAULT_RETAIN_GRACE_MS;
  }

  /** Makes the folders and removes what an earlier server left half done. */
  static async open(options: DirectoryCodeStoreOptions): Promise<DirectoryCodeStore> {
    await mkdir(options.root, { recursive: true });
    await removeTree(join(options.root, STAGING));
    await mkdir(join(options.root, STAGING), 0o700);
    return new DirectoryCodeStore(options);
  }

  async put(archive: Uint8Array): Promise<StoredCode> {
    if (archive.byteLength === 0) throw emptyArchive();
    if (archive.byteLength > MAX_ZIPPED_BYTES) throw zippedTooLarge();
    const digest = createHash('sha256').update(archive).digest();
    const key = digest.toString('hex');
    await (this.#puts.get(key) ?? this.#startPut(key, archive));
    return { sha256: digest.toString('base64'), sizeBytes: archive.byteLength };
  }

  directory(sha256: string): string {
    return join(this.#root, toKey(sha256), 'code');
  }

  archive(sha256: string): NodeJS.ReadableStream {
    return createReadStream(join(this.#root, toKey(sha256), 'archive.zip'));
  }

  async has(sha256: string): Promise<boolean> {
    return await isFolder(join(this.#root, toKey(sha256)));
  }

  async retain(sha256s: ReadonlySet<string>): Promise<void> {
    const kept = new Set([...sha256s].map((sha256) => toKey(sha256)));
    this.#forgetOldPuts();
    for (const key of await readdir(this.#root)) {
      if (!KEY.test(key) || kept.has(key)) continue;
      // No await between this check and the entry in #removals: a put comes before or after both.
      if (this.#puts.has(key) || this.#removals.has(key) || this.#putAtMs.has(key)) continue;
      await this.#remove(key);
    }
  }

  #startPut(key: string, archive: Uint8Array): Promise<void> {
    const put = this.#store(key, archive).finally(() => this.#puts.delete(key));
    this.#puts.set(key, put);
    return put;
  }

  async #store(key: string, archive: Uint8Array): Promise<void> {
    await this.#removals.get(key)?.catch(() => undefined);
    const target = join(this.#root, key);
    if (!(await isFolder(target))) {
      await this.#takeTurn();
      try {
        await this.#unpack(target, archive);
      } finally {
        this.#giveTurn();
      }
    }
    this.#putAtMs.set(key, this.#clock.monotonicMs());
  }

  async #unpack(target: string, archive: Uint8Array): Promise<void> {
    const staging = await mkdtemp(join(this.#root, STAGING, 'put-'));
    try {
      const code = join(staging, 'code');
      await mkdir(code, 0o755);
      const bytes = Buffer.from(archive.buffer, archive.byteOffset, archive.byteLength);
      await unpackArchive(bytes, code);
      await writeDurably(join(staging, 'archive.zip'), bytes);
      await chmod(staging, 0o755);
      await syncFolder(staging);
      await rename(staging, target);
      await syncFolder(this.#root);
    } catch (error) {
      // What cannot be removed now is removed at the next start; the first error is the one to tell.
      await removeTree(staging).catch(() => undefined);
      throw error;
    }
  }

  async #remove(key: string): Promise<void> {
    const moving = this.#moveToTrash(key).finally(() => this.#removals.delete(key));
    this.#removals.set(key, moving);
    await removeTree(await moving);
  }

  /** One rename takes the archive out of the store: nobody sees half of it. */
  async #moveToTrash(key: string): Promise<string> {
    const trash = await mkdtemp(join(this.#root, STAGING, 'trash-'));
    await rename(join(this.#root, key), join(trash, key));
    return trash;
  }

  #forgetOldPuts(): void {
    const oldestMs = this.#clock.monotonicMs() - this.#retainGraceMs;
    for (const [key, atMs] of this.#putAtMs) {
      if (atMs <= oldestMs) this.#putAtMs.delete(key);
    }
  }

  async #takeTurn(): Promise<void> {
    if (this.#unpacking < UNPACKS_AT_ONCE) {
      this.#unpacking += 1;
    } else {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #giveTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#unpacking -= 1;
    else next();
  }
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

async function isFolder(path: string): Promise<boolean> {
  const stats = await stat(path).catch((error: unknown) => {
    if (hasCode(error, ABSENT)) return undefined;
    throw error;
  });
  return stats?.isDirectory() ?? false;
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

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
