import { chmodSync, mkdirSync, rmdirSync } from 'node:fs';
import { rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type LinuxSystemCalls,
  MountFlag,
  SystemCallError,
} from '../../system-calls/linux-system-calls.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** Traversable for every user, unlike the data folder or a home folder may be. */
export const MOUNT_ROOT = '/run/hearth';

/** Of the folder that holds the mounts: empty folders and the files of /etc. */
const FOLDER_BYTES = 16 * 1_048_576;

/** Makes the folder that all instances on the machine share; one that is there is no error. */
export function createMountRoot(): void {
  mkdirSync(MOUNT_ROOT, { recursive: true });
  chmodSync(MOUNT_ROOT, 0o711);
}

/**
 * The folder of a server instance in which it makes its mounts. It is a mount itself, so that taking
 * it away takes all of them away, whatever state they are in. Only root and `gid`, the group of the
 * environments, may enter: other users of the host must not find private folders or a /tmp there.
 */
export function createMountFolder(
  calls: LinuxSystemCalls,
  instanceId: string,
  gid: number,
): string {
  const folder = join(MOUNT_ROOT, instanceId);
  mkdirSync(folder, { mode: 0o711 });
  const flags = MountFlag.noSetuid | MountFlag.noDevices;
  calls.mount('hearth', folder, 'tmpfs', flags, `mode=0710,gid=${gid},size=${FOLDER_BYTES}`);
  // What is mounted below must not turn up in the mount namespaces of other programs.
  calls.mount('', folder, '', MountFlag.private, '');
  return folder;
}

/** Removes the folder with every mount in it. One that is not there is no error. */
export async function removeMountFolder(
  calls: LinuxSystemCalls,
  instanceId: string,
): Promise<void> {
  const folder = join(MOUNT_ROOT, instanceId);
  // A server that was killed may just have mounted a tree of the host, whose mounts were still those
  // of the host, too: what is taken away here must not go there.
  makeAllPrivate(calls, folder);
  await unmountIfMounted(calls, folder);
  try {
    await rmdir(folder);
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

/** A new folder with exactly this mode, whatever the server's umask is. */
export function makeFolder(path: string, mode: number): void {
  mkdirSync(path);
  chmodSync(path, mode);
}

/** A folder of the host, mounted read-only on `target`, which is made for it. */
export function mountReadOnly(calls: LinuxSystemCalls, source: string, target: string): void {
  mkdirSync(target, { mode: 0o755 });
  try {
    mountFolderReadOnly(calls, source, target, 0);
  } catch (error) {
    rmdirSync(target);
    throw error;
  }
}

/** The same on a folder that is there, and with what is mounted below the source, as it is. */
export function mountTreeReadOnly(calls: LinuxSystemCalls, source: string, target: string): void {
  mountFolderReadOnly(calls, source, target, MountFlag.recursive);
}

function mountFolderReadOnly(
  calls: LinuxSystemCalls,
  source: string,
  target: string,
  depth: 0 | typeof MountFlag.recursive,
): void {
  calls.mount(source, target, '', MountFlag.bind | depth, '');
  // What is mounted at the source later must not come here, nor go there when this is taken away.
  calls.mount('', target, '', MountFlag.private | depth, '');
  const flags =
    MountFlag.remount |
    MountFlag.bind |
    MountFlag.readOnly |
    MountFlag.noSetuid |
    MountFlag.noDevices;
  calls.mount('', target, '', flags, '');
}

/**
 * A folder, mounted on itself so that what is mounted in it later also appears wherever it has been
 * mounted again by then, and nothing else does.
 */
export function mountShared(calls: LinuxSystemCalls, folder: string): void {
  calls.mount(folder, folder, '', MountFlag.bind, '');
  calls.mount('', folder, '', MountFlag.shared, '');
}

/** What is mounted on `source`, and below it, also on `target`, with the same restrictions. */
export function mountAgain(calls: LinuxSystemCalls, source: string, target: string): void {
  calls.mount(source, target, '', MountFlag.bind | MountFlag.recursive, '');
}

/** Takes away what `mountReadOnly` made. */
export async function removeMount(calls: LinuxSystemCalls, target: string): Promise<void> {
  await unmountIfMounted(calls, target);
  await rmdir(target);
}

function makeAllPrivate(calls: LinuxSystemCalls, folder: string): void {
  try {
    calls.mount('', folder, '', MountFlag.private | MountFlag.recursive, '');
  } catch (error) {
    if (!isNotMounted(error)) throw error;
  }
}

/** Takes what is mounted on the folder out of sight, with everything below it. */
export async function unmountIfMounted(calls: LinuxSystemCalls, target: string): Promise<void> {
  try {
    await calls.unmount(target);
  } catch (error) {
    if (!isNotMounted(error)) throw error;
  }
}

function isNotMounted(error: unknown): boolean {
  return error instanceof SystemCallError && (error.code === 'EINVAL' || error.code === 'ENOENT');
}
