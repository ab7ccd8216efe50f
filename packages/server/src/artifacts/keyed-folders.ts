import { chmod, mkdir, mkdtemp, readdir, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Clock } from '../clock/clock.ts';
import { hasCode } from '../files/file-error.ts';
import { removeTree } from '../files/remove-tree.ts';
import { syncPath } from '../files/sync-path.ts';

const STAGING = '.staging';
const ABSENT = new Set(['ENOENT']);
const KEY = /^[0-9a-f]{64}$/;
/** Folders filled at the same time; the others wait their turn. */
const FILLS_AT_ONCE = 2;
const DEFAULT_RETAIN_GRACE_MS = 60_000;

export interface KeyedFoldersOptions {
  /** Absolute; made if missing. One server at a time may use it. */
  readonly root: string;
  readonly clock: Clock;
  /**
   * How long `retain` spares a folder after an `ensure` or a `keep` of it settled, so that the caller has time
   * to write down that it is in use. Milliseconds, 60,000 if left out.
   */
  readonly retainGraceMs?: number;
}

/**
 * Folders that are filled once and never changed: `<root>/<key>`, where a key is 64 hex digits. Such a
 * folder is made under `<root>/.staging` and renamed when all of it is on disk: what exists is
 * complete, also after a crash.
 */
export class KeyedFolders {
  readonly #root: string;
  readonly #clock: Clock;
  readonly #retainGraceMs: number;
  /** Ensures under way, by key. */
  readonly #ensures = new Map<string, Promise<void>>();
  /** Folders on their way out, by key; settles when the folder has gone. */
  readonly #removals = new Map<string, Promise<string>>();
  /** When a key was last ensured or kept, on the monotonic scale. */
  readonly #ensuredAtMs = new Map<string, number>();
  readonly #waiting: (() => void)[] = [];
  #filling = 0;

  private constructor(options: KeyedFoldersOptions) {
    this.#root = options.root;
    this.#clock = options.clock;
    this.#retainGraceMs = options.retainGraceMs ?? DEFAULT_RETAIN_GRACE_MS;
  }

  /** Makes the root and removes what an earlier server left half done. */
  static async open(options: KeyedFoldersOptions): Promise<KeyedFolders> {
    await mkdir(options.root, { recursive: true });
    await removeTree(join(options.root, STAGING));
    await mkdir(join(options.root, STAGING), 0o700);
    return new KeyedFolders(options);
  }

  path(key: string): string {
    return join(this.#root, key);
  }

  async has(key: string): Promise<boolean> {
    const stats = await stat(this.path(key)).catch((error: unknown) => {
      if (hasCode(error, ABSENT)) return undefined;
      throw error;
    });
    return stats?.isDirectory() ?? false;
  }

  /** True where the folder is there; `retain` then spares it as if it had just been made. */
  async keep(key: string): Promise<boolean> {
    await this.#removals.get(key)?.catch(() => undefined);
    // Before the look, so that no retain comes in between.
    this.#ensuredAtMs.set(key, this.#clock.monotonicMs());
    if (await this.has(key)) return true;
    this.#ensuredAtMs.delete(key);
    return false;
  }

  /**
   * Makes the folder of `key` unless it is there. `fill` gets an empty folder, leaves everything in
   * it durable, and where it rejects nothing stays behind. Callers at the same time share one fill.
   */
  async ensure(key: string, fill: (staging: string) => Promise<void>): Promise<void> {
    let ensure = this.#ensures.get(key);
    if (ensure === undefined) {
      ensure = this.#make(key, fill).finally(() => this.#ensures.delete(key));
      this.#ensures.set(key, ensure);
    }
    await ensure;
  }

  /** Removes every folder whose key is not named; may spare what was ensured a moment ago. */
  async retain(keys: ReadonlySet<string>): Promise<void> {
    this.#forgetOldEnsures();
    for (const key of await readdir(this.#root)) {
      if (!KEY.test(key) || keys.has(key)) continue;
      // No await between this check and the entry in #removals: an ensure comes before or after both.
      if (this.#ensures.has(key) || this.#removals.has(key) || this.#ensuredAtMs.has(key)) continue;
      await this.#remove(key);
    }
  }

  /** Takes one folder away; one that is not there is no error. Later calls of `ensure` make it anew. */
  async remove(key: string): Promise<void> {
    await this.#ensures.get(key)?.catch(() => undefined);
    if (this.#removals.has(key) || !(await this.has(key))) return;
    if (this.#ensures.has(key) || this.#removals.has(key)) return;
    this.#ensuredAtMs.delete(key);
    await this.#remove(key);
  }

  async #make(key: string, fill: (staging: string) => Promise<void>): Promise<void> {
    await this.#removals.get(key)?.catch(() => undefined);
    if (!(await this.has(key))) {
      await this.#takeTurn();
      try {
        await this.#fill(key, fill);
      } finally {
        this.#giveTurn();
      }
    }
    this.#ensuredAtMs.set(key, this.#clock.monotonicMs());
  }

  async #fill(key: string, fill: (staging: string) => Promise<void>): Promise<void> {
    const staging = await mkdtemp(join(this.#root, STAGING, 'put-'));
    try {
      await fill(staging);
      await chmod(staging, 0o755);
      await syncPath(staging);
      await rename(staging, this.path(key));
      await syncPath(this.#root);
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

  /** One rename takes the folder out: nobody sees half of it. */
  async #moveToTrash(key: string): Promise<string> {
    const trash = await mkdtemp(join(this.#root, STAGING, 'trash-'));
    await rename(this.path(key), join(trash, key));
    return trash;
  }

  #forgetOldEnsures(): void {
    const oldestMs = this.#clock.monotonicMs() - this.#retainGraceMs;
    for (const [key, atMs] of this.#ensuredAtMs) {
      if (atMs <= oldestMs) this.#ensuredAtMs.delete(key);
    }
  }

  async #takeTurn(): Promise<void> {
    if (this.#filling < FILLS_AT_ONCE) {
      this.#filling += 1;
    } else {
      await new Promise<void>((resolve) => this.#waiting.push(resolve));
    }
  }

  #giveTurn(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#filling -= 1;
    else next();
  }
}
