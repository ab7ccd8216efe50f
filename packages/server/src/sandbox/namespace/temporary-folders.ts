import { type LinuxSystemCalls, MountFlag } from '../../system-calls/linux-system-calls.ts';

/** What gives sandboxes a /tmp of a fixed size. */
export interface TemporaryFolders extends AsyncDisposable {
  /** True where what is in it is charged to the memory of the sandbox. */
  readonly chargedAsMemory: boolean;
  /**
   * Mounts an empty file system that everyone may write to, without devices and set-uid programs,
   * on an existing folder. Whoever made that folder takes the mount away; then comes `release`.
   * Rejects, and leaves nothing behind, where it fails.
   */
  mount(target: string, sizeMb: number): Promise<TemporaryFolder>;
}

export interface TemporaryFolder {
  /** Called once, when it is no longer mounted anywhere. */
  release(): Promise<void>;
}

/** Temporary folders in memory. */
export class MemoryFolders implements TemporaryFolders {
  readonly chargedAsMemory = true;
  readonly #calls: LinuxSystemCalls;

  constructor(calls: LinuxSystemCalls) {
    this.#calls = calls;
  }

  async mount(target: string, sizeMb: number): Promise<TemporaryFolder> {
    const flags = MountFlag.noSetuid | MountFlag.noDevices;
    // An inode takes kernel memory too: one for each page.
    const options = `mode=1777,size=${sizeMb}m,nr_inodes=${sizeMb * 256}`;
    this.#calls.mount('hearth-tmp', target, 'tmpfs', flags, options);
    return { release: async () => {} };
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}
