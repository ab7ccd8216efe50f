import { basename, sep } from 'node:path';
import { FSWatcher } from 'chokidar';
import type { Clock, Timer } from '../clock/clock.ts';

/** A change is told when nothing has changed for so long … */
const DEFAULT_QUIET_MS = 100;
/** … or when changes have gone on for so long. */
const DEFAULT_MAX_WAIT_MS = 1_000;
/** Each takes a kernel watch; a home folder by mistake must not take all of the machine's. */
const DEFAULT_MAX_FOLDERS = 4_096;

export interface HotReloadWatcherOptions {
  readonly clock: Clock;
  /** Called where a folder cannot be watched, wholly or in part. The rest is watched. */
  readonly onFault: (error: Error) => void;
  /** Milliseconds. */
  readonly quietMs?: number;
  readonly maxWaitMs?: number;
  /** Folders that are watched below one. */
  readonly maxFolders?: number;
}

/** One caller's watch. */
export interface Watch {
  /** Settles when every change from now on will be seen. Never rejects. */
  readonly ready: Promise<void>;
  /** No call after this one. Closing twice does nothing. */
  close(): void;
}

/**
 * Tells when the code in a folder changes. Every file below it counts, with three exceptions: what lies
 * inside a package in `node_modules` (an install is seen by the lock file it writes there and by the
 * packages that come and go; an edit inside one is not, as watching tens of thousands of files is not worth it),
 * `.git`, and `__pycache__`, which Python itself writes. Symbolic links are watched, not what they
 * point to. A folder that disappears is waited for.
 */
export class HotReloadWatcher implements AsyncDisposable {
  readonly #options: Required<HotReloadWatcherOptions>;
  readonly #watched = new Map<string, WatchedFolder>();
  readonly #closing = new Set<Promise<void>>();
  #isDisposed = false;

  constructor(options: HotReloadWatcherOptions) {
    this.#options = {
      quietMs: DEFAULT_QUIET_MS,
      maxWaitMs: DEFAULT_MAX_WAIT_MS,
      maxFolders: DEFAULT_MAX_FOLDERS,
      ...options,
    };
  }

  /**
   * Calls `onChange` after each run of changes below `directory`, an absolute path. Callers for the
   * same folder share one watcher. After dispose it throws.
   */
  watch(directory: string, onChange: () => void): Watch {
    if (this.#isDisposed) throw new Error('Cannot watch a folder as the watcher is disposed');
    const folder = this.#watched.get(directory) ?? new WatchedFolder(directory, this.#options);
    this.#watched.set(directory, folder);
    // A function of its own, so that the same callback may be given twice.
    const listener = (): void => onChange();
    folder.listeners.add(listener);
    return {
      ready: folder.ready,
      close: () => {
        if (!folder.listeners.delete(listener) || folder.listeners.size > 0) return;
        this.#watched.delete(directory);
        const closing = folder[Symbol.asyncDispose]().finally(() => this.#closing.delete(closing));
        this.#closing.add(closing);
      },
    };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isDisposed = true;
    const folders = [...this.#watched.values()];
    this.#watched.clear();
    await Promise.all([
      ...folders.map((folder) => folder[Symbol.asyncDispose]()),
      ...this.#closing,
    ]);
  }
}

class WatchedFolder implements AsyncDisposable {
  readonly listeners = new Set<() => void>();
  readonly ready: Promise<void>;
  readonly #directory: string;
  readonly #options: Required<HotReloadWatcherOptions>;
  readonly #watcher: FSWatcher;
  readonly #folders = new Set<string>();
  #isOverLimit = false;
  #quiet: Timer | undefined;
  #firstChangeMs: number | undefined;

  constructor(directory: string, options: Required<HotReloadWatcherOptions>) {
    this.#directory = directory;
    this.#options = options;
    this.#watcher = new FSWatcher({
      ignoreInitial: true,
      followSymlinks: false,
      ignorePermissionErrors: true,
      // Runs of changes are put together below, by the clock port.
      atomic: false,
      ignored: (path, stats) => this.#isIgnored(path, stats?.isDirectory() ?? false),
    });
    this.ready = new Promise((resolve) => {
      this.#watcher.once('ready', () => resolve());
      this.#disposed = resolve;
    });
    this.#watcher.on('all', (event, path) => {
      if (event === 'unlinkDir') this.#folders.delete(path);
      this.#changed();
    });
    // The folder itself was moved. Where another takes its place at once, with files of the same names,
    // nothing else is told (seen with chokidar 6.0.0 on Linux).
    this.#watcher.on('raw', (event, name) => {
      if (event === 'rename' && name === basename(directory)) this.#changed();
    });
    this.#watcher.on('error', (error) => this.#report(error));
    this.#watcher.add(directory);
  }

  #disposed: () => void = () => undefined;

  async [Symbol.asyncDispose](): Promise<void> {
    this.listeners.clear();
    this.#quiet?.cancel();
    this.#disposed();
    await this.#watcher.close();
  }

  #changed(): void {
    const { clock, quietMs, maxWaitMs } = this.#options;
    if (this.listeners.size === 0) return;
    const nowMs = clock.monotonicMs();
    this.#firstChangeMs ??= nowMs;
    this.#quiet?.cancel();
    const delayMs = Math.min(quietMs, this.#firstChangeMs + maxWaitMs - nowMs);
    this.#quiet = clock.startTimer(Math.max(0, delayMs), () => {
      this.#quiet = undefined;
      this.#firstChangeMs = undefined;
      for (const listener of this.listeners) listener();
    });
  }

  #isIgnored(path: string, isFolder: boolean): boolean {
    if (path === this.#directory || !path.startsWith(this.#directory + sep)) return false;
    const names = path.slice(this.#directory.length + 1).split(sep);
    const name = names.at(-1);
    if (name === '.git' || name === '__pycache__') return true;
    if (isInsidePackage(names)) return true;
    return isFolder && !this.#countFolder(path);
  }

  #countFolder(path: string): boolean {
    if (this.#folders.has(path)) return true;
    if (this.#folders.size < this.#options.maxFolders) {
      this.#folders.add(path);
      return true;
    }
    if (!this.#isOverLimit) {
      this.#isOverLimit = true;
      this.#report(new Error(`it holds more than ${this.#options.maxFolders} folders`));
    }
    return false;
  }

  #report(cause: unknown): void {
    const reason = cause instanceof Error ? cause.message : String(cause);
    const message = `Cannot watch all of ${this.#directory} for changes: ${reason}`;
    this.#options.onFault(new Error(message, { cause }));
  }
}

/** Names below `node_modules/<package>` or `node_modules/@scope/<package>`. */
function isInsidePackage(names: readonly string[]): boolean {
  const at = names.indexOf('node_modules');
  if (at === -1) return false;
  const depth = names[at + 1]?.startsWith('@') === true ? 3 : 2;
  return names.length - at > depth;
}
