import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../../files/remove-tree.ts';
import type { SandboxAssignment, SandboxDirectories } from '../sandbox.ts';
import type { GuestFolders } from './bwrap-arguments.ts';
import type { SandboxPlace } from './sandbox-place.ts';

/**
 * The place of a sandbox whose server is not root: a plain folder for /tmp, and the folders of its
 * function as they are. What runs already does not see what is assigned later.
 */
export class OwnUserPlace implements SandboxPlace {
  readonly userScope = undefined;
  readonly group = undefined;
  readonly #directories: SandboxDirectories;
  readonly #folder: string;
  readonly #checkCodeFolder: (task: string) => void;
  #assignment: SandboxAssignment | undefined;

  private constructor(
    directories: SandboxDirectories,
    folder: string,
    checkCodeFolder: (task: string) => void,
  ) {
    this.#directories = directories;
    this.#folder = folder;
    this.#checkCodeFolder = checkCodeFolder;
  }

  /** @param folder is made for the sandbox, and removed with it */
  static async create(
    directories: SandboxDirectories,
    folder: string,
    checkCodeFolder: (task: string) => void,
  ): Promise<OwnUserPlace> {
    const place = new OwnUserPlace(directories, folder, checkCodeFolder);
    try {
      await mkdir(place.folders.tmp, { recursive: true });
      await chmod(place.folders.tmp, 0o1777);
      return place;
    } catch (error) {
      await removeTree(folder);
      throw error;
    }
  }

  get folders(): GuestFolders {
    const { runtime, language } = this.#directories;
    const { task, opt, cache } = this.#assignment ?? {};
    return { runtime, language, task, opt, cache, tmp: join(this.#folder, 'tmp') };
  }

  async assign(assignment: SandboxAssignment): Promise<void> {
    if (assignment.taskInPlace === true) this.#checkCodeFolder(assignment.task);
    this.#assignment = assignment;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await removeTree(this.#folder);
  }
}
