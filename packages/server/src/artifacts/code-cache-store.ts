import { open, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock, Timer } from '../clock/clock.ts';
import { KeyedFolders } from './keyed-folders.ts';

/** The only file in a folder; the bootstrap knows its name. */
const FILE = 'v8.cache';
/** Of one function; as much as the bootstrap sends. */
const MAX_CACHE_BYTES = 33_554_432;
/** Of all together on disk; the one that was used longest ago goes first. */
const MAX_TOTAL_BYTES = 536_870_912;
/** Of what is being received: more at once would let hostile functions fill the server's memory. */
const MAX_RECEIVING_BYTES = 100_663_296;
/** Pieces of one; the bootstrap sends a hundred at most. */
const MAX_PIECES = 1_024;
/** A function whose code never fits, or that says so, is not asked again by this server. */
const MAX_REJECTIONS = 2;

/** A folder that an environment has just been given must not be gone when it is mounted. */
const REMOVAL_DELAY_MS = 10_000;
/** Of a key's 64: the function and its code. The others tell what compiled it. */
export const FUNCTION_DIGITS = 32;

export interface CodeCacheStoreOptions {
  /** Absolute; made if missing. One server at a time may use it. */
  readonly root: string;
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
  readonly maxTotalBytes?: number;
}

/** Takes compiled code in as it arrives. */
export interface CodeCacheCollection extends Disposable {
  add(chunk: Uint8Array): void;
  /** All has arrived: it is kept, unless it is empty or too much. */
  end(): void;
  /** Gives up what has not ended; another environment may be asked. */
  [Symbol.dispose](): void;
}

/**
 * Compiled code that functions have left for their later environments. It is the functions' own,
 * opaque and never trusted: bounded, kept by a key that names code and compiler, and given to nobody
 * else. Finding one takes no time on the way of an event: what there is is known in memory.
 */
export class CodeCacheStore {
  readonly #folders: KeyedFolders;
  readonly #clock: Clock;
  readonly #maxTotalBytes: number;
  readonly #onFault: (error: unknown) => void;
  /** Bytes by key; the one that was used longest ago is first. */
  readonly #kept: Map<string, number>;
  /** Those that an environment was asked for. */
  readonly #collecting = new Set<string>();
  /** How often what was kept did not fit; those with nothing to keep have the most. */
  readonly #rejections = new Map<string, number>();
  /** Folders, empty by now, that go when nobody can be about to mount them. */
  readonly #removals = new Map<string, Timer>();
  readonly #work = new Set<Promise<void>>();
  #receivingBytes = 0;

  private constructor(
    options: CodeCacheStoreOptions,
    folders: KeyedFolders,
    kept: Map<string, number>,
  ) {
    this.#folders = folders;
    this.#clock = options.clock;
    this.#kept = kept;
    this.#onFault = options.onFault;
    this.#maxTotalBytes = options.maxTotalBytes ?? MAX_TOTAL_BYTES;
  }

  static async open(options: CodeCacheStoreOptions): Promise<CodeCacheStore> {
    const { root, clock } = options;
    const folders = await KeyedFolders.open({ root, clock });
    const found = await Promise.all(
      (await readdir(root)).filter(isKey).map(async (key) => {
        const stats = await stat(join(root, key, FILE)).catch(() => undefined);
        return { key, bytes: stats?.size, changedMs: stats?.mtimeMs ?? 0 };
      }),
    );
    const kept = new Map<string, number>();
    for (const { key, bytes } of found.toSorted((a, b) => a.changedMs - b.changedMs)) {
      if (bytes === undefined) await folders.remove(key);
      else kept.set(key, bytes);
    }
    const store = new CodeCacheStore(options, folders, kept);
    store.#evict();
    return store;
  }

  /** The folder to show to an environment; undefined where there is none. */
  folder(key: string): string | undefined {
    const bytes = this.#kept.get(key);
    if (bytes === undefined) return undefined;
    this.#kept.delete(key);
    this.#kept.set(key, bytes);
    return this.#folders.path(key);
  }

  /** Undefined where there is one, an environment has been asked for it already, or it is of no use. */
  collect(key: string): CodeCacheCollection | undefined {
    if (this.#kept.has(key) || this.#collecting.has(key) || this.#removals.has(key)) {
      return undefined;
    }
    if ((this.#rejections.get(key) ?? 0) >= MAX_REJECTIONS) return undefined;
    this.#collecting.add(key);
    let chunks: Uint8Array[] = [];
    let bytes = 0;
    let isOver = false;
    const finish = (): void => {
      isOver = true;
      chunks = [];
      this.#receivingBytes -= bytes;
      bytes = 0;
    };
    const giveUp = (): void => {
      if (isOver) return;
      finish();
      this.#collecting.delete(key);
    };
    return {
      add: (chunk) => {
        if (isOver) return;
        bytes += chunk.length;
        this.#receivingBytes += chunk.length;
        const isTooMuch =
          bytes > MAX_CACHE_BYTES ||
          this.#receivingBytes > MAX_RECEIVING_BYTES ||
          chunks.length === MAX_PIECES;
        if (isTooMuch) giveUp();
        // A piece may be a small part of a large buffer, which would stay with it.
        else chunks.push(Uint8Array.from(chunk));
      },
      end: () => {
        if (isOver) return;
        if (bytes === 0) {
          this.#rejections.set(key, MAX_REJECTIONS);
          giveUp();
          return;
        }
        const keeping = this.#keep(key, chunks, bytes).finally(() => {
          finish();
          this.#collecting.delete(key);
        });
        isOver = true;
        this.#await(keeping);
      },
      [Symbol.dispose]: giveUp,
    };
  }

  /** What is kept does not fit, or harms: it goes, and is collected anew, but not for ever. */
  reject(key: string): void {
    if (!this.#kept.has(key)) return;
    this.#rejections.set(key, (this.#rejections.get(key) ?? 0) + 1);
    this.#remove(key);
  }

  /** Removes those of functions, or of code, that are not named by the first half of their keys. */
  retain(functions: ReadonlySet<string>): void {
    const isUsed = (key: string): boolean => functions.has(key.slice(0, FUNCTION_DIGITS));
    for (const key of this.#kept.keys()) if (!isUsed(key)) this.#remove(key);
    for (const key of this.#rejections.keys()) if (!isUsed(key)) this.#rejections.delete(key);
  }

  /** Settles when what was under way is on disk. */
  async settled(): Promise<void> {
    await Promise.all(this.#work);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const [key, timer] of this.#removals) {
      timer.cancel();
      this.#await(this.#folders.remove(key));
    }
    this.#removals.clear();
    await this.settled();
  }

  async #keep(key: string, chunks: readonly Uint8Array[], bytes: number): Promise<void> {
    await this.#folders.ensure(key, async (staging) => {
      const file = await open(join(staging, FILE), 'wx', 0o600);
      try {
        for (const chunk of chunks) await file.writeFile(chunk);
        // Whichever user an environment has, and whatever the server's umask is.
        await file.chmod(0o644);
        await file.sync();
      } finally {
        await file.close();
      }
    });
    this.#kept.set(key, bytes);
    this.#evict();
  }

  #evict(): void {
    let total = 0;
    for (const bytes of this.#kept.values()) total += bytes;
    for (const [key, bytes] of this.#kept) {
      if (total <= this.#maxTotalBytes) return;
      total -= bytes;
      this.#remove(key);
    }
  }

  #remove(key: string): void {
    if (!this.#kept.delete(key)) return;
    // Nobody may read it from now on, nor find it after a restart.
    this.#await(rm(join(this.#folders.path(key), FILE), { force: true }));
    const timer = this.#clock.startTimer(REMOVAL_DELAY_MS, () => {
      this.#removals.delete(key);
      this.#await(this.#folders.remove(key));
    });
    this.#removals.set(key, timer);
  }

  #await(work: Promise<void>): void {
    const done = work.catch(this.#onFault).finally(() => this.#work.delete(done));
    this.#work.add(done);
  }
}

function isKey(name: string): boolean {
  return /^[0-9a-f]{64}$/.test(name);
}
