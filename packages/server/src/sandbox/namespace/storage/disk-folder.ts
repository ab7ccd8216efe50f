import { close as closeFile, open as openFile } from 'node:fs';
import { open, unlink } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { DiskImageCalls } from '../../../system-calls/disk-image-calls.ts';
import type { MountTreeCalls } from '../../../system-calls/mount-tree-calls.ts';
import type { TemporaryFolder } from '../temporary-folders.ts';
import { DISK_MOUNT_OPTIONS, type DiskTemplate } from './disk-template.ts';

/** The system calls that file systems in files take. */
export interface DiskCalls {
  readonly image: DiskImageCalls;
  readonly tree: MountTreeCalls;
}

const openDescriptor = promisify(openFile);
const close = promisify(closeFile);

/**
 * A file system in a sparse file, mounted, but nowhere to be found until it is attached. The file has
 * no name any more, so that nothing is left when the last user of the file system is gone, also where
 * the server is killed.
 */
export class DiskFolder implements TemporaryFolder {
  readonly #calls: DiskCalls;
  /** Of the mount: the file system lives at least as long as this is open. */
  readonly #mount: number;

  private constructor(calls: DiskCalls, mount: number) {
    this.#calls = calls;
    this.#mount = mount;
  }

  /** @param path of the file: on a disk, not there yet, nor when this returns */
  static async create(calls: DiskCalls, template: DiskTemplate, path: string): Promise<DiskFolder> {
    await using file = await open(path, 'wx+', 0o600);
    await unlink(path);
    await file.truncate(template.bytes);
    for (const { offset, content } of template.parts) {
      await file.write(content, 0, content.length, offset);
    }
    const device = await calls.image.attachLoopDevice(file.fd);
    try {
      const mount = await calls.image.createMount({
        type: 'ext4',
        source: device.path,
        options: DISK_MOUNT_OPTIONS,
      });
      return new DiskFolder(calls, mount);
    } finally {
      await close(device.descriptor);
    }
  }

  /** Mounts it on an existing folder, without devices and set-uid programs. Takes microseconds. */
  attach(target: string): void {
    this.#calls.tree.attachMounts(this.#mount, target);
  }

  async release(): Promise<void> {
    try {
      // Else the kernel would first write to the disk what is about to be thrown away.
      const root = await openDescriptor(`/proc/self/fd/${this.#mount}`, 'r');
      try {
        await this.#calls.image.shutDownFileSystem(root);
      } finally {
        await close(root);
      }
    } finally {
      await close(this.#mount);
    }
  }
}
