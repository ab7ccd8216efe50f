import { type Stats, statSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { errorCode } from '../../system-calls/error-code.ts';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import { CodeFolderError, SandboxError } from '../sandbox.ts';
import { isWithin } from './code-folder.ts';
import { homeFolders } from './home-folders.ts';
import { type MappedFolders, NotMappableError } from './mapped-folders.ts';
import { mountReadOnly, removeMount } from './mount-folder.ts';
import { isReadableByAll, isTreeReadableByAll } from './readable-by-all.ts';
import type { HostUser } from './uid-range.ts';

/** A folder of the host in a place where an environment's user can reach it. */
export interface StagedDirectory {
  readonly path: string;
  /** Called once, when the environment is gone. */
  release(): Promise<void>;
}

interface Mounted {
  readonly target: string;
  /**
   * Device and inode: another folder may take the place of the one that was mounted. The mount keeps
   * the inode from being used again.
   */
  readonly identity: string;
  users: number;
}

const TRAVERSE = 0o001;

/**
 * Makes folders readable for environments. One that everyone may read, below one that only its owner
 * may enter, is mounted into the instance's folder, once for all. One that not everyone may read is
 * mapped to the user of each environment.
 */
export class StagedDirectories {
  readonly #calls: LinuxSystemCalls;
  readonly #folder: string;
  readonly #mapped: MappedFolders;
  readonly #mounted = new Map<string, Mounted>();
  /** Of whole trees, by path; with what the top was when it was looked at. */
  readonly #readable = new Map<string, { identity: string; readable: boolean }>();
  #count = 0;

  /** @param folder an existing folder for the mounts */
  constructor(calls: LinuxSystemCalls, folder: string, mapped: MappedFolders) {
    this.#calls = calls;
    this.#folder = folder;
    this.#mapped = mapped;
  }

  /**
   * A folder that was made as a whole, by one program: the mode of its top tells of all of it. More
   * than that would open what an interpreter's prefix such as /usr keeps from users.
   */
  async acquire(path: string, user: HostUser): Promise<StagedDirectory> {
    const stats = statFolder(path);
    return isReadableByAll(stats)
      ? this.#acquireReadable(path, stats)
      : this.#map(path, user, stats);
  }

  /** The same, always mounted read-only, so that it can be mounted again as it is. */
  async acquireMounted(path: string, user: HostUser): Promise<StagedDirectory> {
    const stats = statFolder(path);
    return isReadableByAll(stats) ? this.#stage(path, stats) : this.#map(path, user, stats);
  }

  /** A small folder whose files may have come one by one, such as a bootstrap that was built anew. */
  async acquireTree(path: string, user: HostUser): Promise<StagedDirectory> {
    const stats = statFolder(path);
    const identity = [stats.dev, stats.ino, stats.ctimeMs].join(':');
    let known = this.#readable.get(path);
    if (known?.identity !== identity) {
      known = { identity, readable: await isTreeReadableByAll(path, stats) };
      this.#readable.set(path, known);
    }
    return known.readable ? this.#acquireReadable(path, stats) : this.#map(path, user, stats);
  }

  /**
   * Somebody's own folder, whose files come and go: always mapped, as no look at it would still hold
   * when the function reads. Where that cannot be, what everyone may read is shown. Mounted
   * read-only in any case.
   */
  async acquireInPlace(path: string, user: HostUser): Promise<StagedDirectory> {
    try {
      return this.#mapped.show(path, user);
    } catch (error) {
      if (!(error instanceof NotMappableError)) throw codeFolderError(path, error);
      const stats = statFolder(path);
      if (!isReadableByAll(stats)) {
        throw new CodeFolderError(unreadable(path, stats, error), { cause: error });
      }
      return this.#stage(path, stats);
    }
  }

  async #map(path: string, user: HostUser, stats: Stats): Promise<StagedDirectory> {
    // The prefix of a program in ~/bin is the home folder itself.
    if ((await homeFolders()).some((home) => isWithin(home, path))) {
      throw new SandboxError(
        `Cannot show ${path} to a function as it must be no home folder: move what is in its bin`,
      );
    }
    try {
      return this.#mapped.show(path, user);
    } catch (error) {
      if (!(error instanceof NotMappableError)) throw error;
      throw new SandboxError(unreadable(path, stats, error), { cause: error });
    }
  }

  async #acquireReadable(path: string, stats: Stats): Promise<StagedDirectory> {
    if (await isReachable(dirname(path))) return { path, release: async () => {} };
    return this.#stage(path, stats);
  }

  /** Runs in one turn, so that two callers never mount the same folder. */
  #stage(path: string, { dev, ino }: Stats): StagedDirectory {
    const identity = `${dev}:${ino}`;
    let mounted = this.#mounted.get(path);
    if (mounted === undefined || mounted.identity !== identity) {
      this.#count += 1;
      const target = join(this.#folder, String(this.#count));
      mountReadOnly(this.#calls, path, target);
      mounted = { target, identity, users: 0 };
      this.#mounted.set(path, mounted);
    }
    const used = mounted;
    used.users += 1;
    return { path: used.target, release: () => this.#release(path, used) };
  }

  async #release(path: string, mounted: Mounted): Promise<void> {
    mounted.users -= 1;
    if (mounted.users > 0) return;
    if (this.#mounted.get(path) === mounted) this.#mounted.delete(path);
    await removeMount(this.#calls, mounted.target);
  }
}

/** At once: a thread that is asked to would take longer than all else that assigning a sandbox does. */
function statFolder(path: string): Stats {
  const stats = statSync(path);
  if (stats.isDirectory()) return stats;
  throw new SandboxError(`Cannot show ${path} to a function as it must be a folder`);
}

async function isReachable(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & TRAVERSE) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || isReachable(parent);
}

function unreadable(path: string, { mode }: Stats, { code }: NotMappableError): string {
  return (
    `Cannot show ${path} to a function as all users must be able to read it: ` +
    `mode ${(mode & 0o777).toString(8)}, and its file system maps no users (${code}). ` +
    `To let them: chmod -R a+rX ${path}`
  );
}

/** What a caller of the API may be told. */
function codeFolderError(path: string, cause: unknown): unknown {
  switch (errorCode(cause)) {
    case 'ENOENT':
    case 'ENOTDIR':
      return new CodeFolderError(`Cannot run code in place as it must be a folder: ${path}`, {
        cause,
      });
    case 'ELOOP':
      return new CodeFolderError(
        `Cannot run code in place as its path must not lead through a symbolic link: ${path}`,
        { cause },
      );
    default:
      return cause;
  }
}
