import { chownSync, closeSync, fstatSync, mkdirSync, rmdirSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import { errorCode } from '../../system-calls/error-code.ts';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import type { MountTreeCalls } from '../../system-calls/mount-tree-calls.ts';
import { removeMount } from './mount-folder.ts';
import type { HostUser } from './uid-range.ts';

/** The kernel or a file system does not show files as somebody else's; `code` says how it told. */
export class NotMappableError extends Error {
  override readonly name = 'NotMappableError';
  readonly code: string;

  constructor(path: string, code: string, cause: unknown) {
    super(`Cannot show ${path} as another user's: ${code}`, { cause });
    this.code = code;
  }
}

/** Old kernels do not know the calls; other file systems, or rights that are missing, refuse. */
const NOT_MAPPABLE: ReadonlySet<string | undefined> = new Set([
  'ENOSYS',
  'EINVAL',
  'EPERM',
  'EOPNOTSUPP',
]);

/** A folder of the host, as one environment's user sees it. */
export interface MappedFolder {
  readonly path: string;
  /** Called once, when the environment is gone. */
  release(): Promise<void>;
}

/**
 * Shows folders to an environment as if they were its user's own: whatever the folder's owner and
 * its group may read in it, so may the environment's user. Files of other owners are read by the
 * permissions that they have for everyone. Nothing is copied or changed. What is mounted below the
 * folder is shown with it.
 *
 * The kernel shows an id as one other only, so each environment has a mount of its own, in a folder
 * that only its user may enter: no other environment, and nobody on the host, gains anything by it.
 * Nothing is kept from one environment to the next: each gets the folder that is there then.
 */
export class MappedFolders {
  readonly #calls: LinuxSystemCalls;
  readonly #treeCalls: MountTreeCalls;
  readonly #folder: string;
  #count = 0;

  /** @param folder an existing folder for the mounts */
  constructor(calls: LinuxSystemCalls, treeCalls: MountTreeCalls, folder: string) {
    this.#calls = calls;
    this.#treeCalls = treeCalls;
    this.#folder = folder;
  }

  /**
   * Mounts the folder read-only. Throws and leaves nothing behind where it fails: a NotMappableError
   * where the machine does not allow it, the system's error where the folder is not there.
   *
   * @param path absolute; a symbolic link in it is refused, also one that has just been put there
   */
  show(path: string, user: HostUser): MappedFolder {
    using opened = new DisposableStack();
    const closing = (descriptor: number): number => opened.adopt(descriptor, closeSync);
    const calls = this.#treeCalls;
    try {
      const folder = closing(calls.openFolder(path));
      const tree = closing(calls.cloneMounts(folder));
      calls.restrictMounts(tree);
      const { uid, gid } = fstatSync(folder);
      const namespace = closing(
        calls.createUserNamespace(
          { stored: uid, shown: user.uid },
          { stored: gid, shown: user.gid },
        ),
      );
      this.#changeIds(tree, namespace);
      return this.#attach(tree, user);
    } catch (error) {
      const code = errorCode(error);
      if (code === undefined || !NOT_MAPPABLE.has(code)) throw error;
      throw new NotMappableError(path, code, error);
    }
  }

  #changeIds(tree: number, namespace: number): void {
    try {
      this.#treeCalls.changeIds(tree, namespace, true);
    } catch (error) {
      if (!NOT_MAPPABLE.has(errorCode(error))) throw error;
      // Something below is mounted from a file system that cannot: it keeps the ids that it has.
      this.#treeCalls.changeIds(tree, namespace, false);
    }
  }

  #attach(tree: number, { uid, gid }: HostUser): MappedFolder {
    this.#count += 1;
    const place = join(this.#folder, String(this.#count));
    const target = join(place, 'folder');
    mkdirSync(target, { recursive: true, mode: 0o700 });
    try {
      chownSync(place, uid, gid);
      this.#treeCalls.attachMounts(tree, target);
    } catch (error) {
      rmdirSync(target);
      rmdirSync(place);
      throw error;
    }
    return {
      path: target,
      release: async () => {
        await removeMount(this.#calls, target);
        await rmdir(place);
      },
    };
  }
}
