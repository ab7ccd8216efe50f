import { stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import { SandboxError } from '../sandbox.ts';
import { mountReadOnly, removeMount } from './mount-folder.ts';

/** A folder of the host in a place where an environment's user can reach it. */
export interface StagedDirectory {
  readonly path: string;
  /** Called once, when the environment is gone. */
  release(): Promise<void>;
}

interface Mounted {
  readonly target: string;
  /** Device and inode: another folder may take the place of the one that was mounted. */
  readonly identity: string;
  users: number;
}

const READ_AND_TRAVERSE = 0o005;
const TRAVERSE = 0o001;

/**
 * Makes folders reachable that lie below one which only its owner may enter, such as an interpreter
 * below /root: they are mounted into the instance's folder, once each, for as long as they are used.
 */
export class StagedDirectories {
  readonly #calls: LinuxSystemCalls;
  readonly #folder: string;
  readonly #mounted = new Map<string, Mounted>();
  #count = 0;

  /** @param folder an existing folder for the mounts */
  constructor(calls: LinuxSystemCalls, folder: string) {
    this.#calls = calls;
    this.#folder = folder;
  }

  async acquire(path: string): Promise<StagedDirectory> {
    const stats = await stat(path);
    if (!stats.isDirectory()) {
      throw new SandboxError(`Cannot show ${path} to a function as it must be a folder`);
    }
    if ((stats.mode & READ_AND_TRAVERSE) !== READ_AND_TRAVERSE) {
      const mode = (stats.mode & 0o777).toString(8);
      throw new SandboxError(
        `Cannot show ${path} to a function as all users must be able to read it: mode ${mode}`,
      );
    }
    if (await isReachable(dirname(path))) return { path, release: async () => {} };
    return this.#stage(path, `${stats.dev}:${stats.ino}`);
  }

  /** Runs in one turn, so that two callers never mount the same folder. */
  #stage(path: string, identity: string): StagedDirectory {
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

async function isReachable(folder: string): Promise<boolean> {
  const { mode } = await stat(folder);
  if ((mode & TRAVERSE) === 0) return false;
  const parent = dirname(folder);
  return parent === folder || isReachable(parent);
}
