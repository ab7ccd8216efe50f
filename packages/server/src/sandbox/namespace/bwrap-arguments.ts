import type { GuestCommand } from '../sandbox.ts';
import { GUEST_PATHS } from './guest-paths.ts';
import { GUEST_GID, GUEST_HOSTNAME, GUEST_UID, type SystemImage } from './system-image.ts';

/** Descriptors that bubblewrap gets besides those of the guest; it closes them before the guest. */
export const ARGUMENTS_FD = 5;
export const STATUS_FD = 6;
export const BLOCK_FD = 7;
/** Of those that a driver adds, the first. */
export const FIRST_ADDED_FD = 8;

/** Bounds what a function can put into memory without it being its own: charged to it all the same. */
export const SHARED_MEMORY_MB = 64;

/** Folders of the host, where the environment's user can reach them. */
export interface GuestFolders {
  readonly task: string | undefined;
  readonly runtime: string | undefined;
  readonly language: string | undefined;
  readonly opt: string | undefined;
  readonly cache: string | undefined;
  readonly tmp: string;
}

/**
 * What bubblewrap reads from `ARGUMENTS_FD`: the arguments, each ended by NUL. In the list of
 * processes they would show the host's paths and the function's variables.
 *
 * @param system the part that all environments share
 * @param addedOptions options that take one of the descriptors from `FIRST_ADDED_FD` on, each
 */
export function bwrapArguments(
  system: Pick<SystemImage, 'arguments' | 'procArguments' | 'closingArguments'>,
  folders: GuestFolders,
  command: GuestCommand,
  addedOptions: readonly string[],
  options: readonly string[] = [],
): string {
  const parts = [
    options,
    ['--unshare-user', '--unshare-pid', '--unshare-ipc', '--unshare-uts', '--unshare-cgroup-try'],
    // The network is the one in which bubblewrap is started.
    ['--uid', String(GUEST_UID), '--gid', String(GUEST_GID), '--hostname', GUEST_HOSTNAME],
    ['--die-with-parent', '--new-session'],
    system.arguments,
    ['--proc', '/proc'],
    system.procArguments,
    ['--dev', '/dev'],
    ['--perms', '1777', '--size', String(SHARED_MEMORY_MB * 1_048_576), '--tmpfs', '/dev/shm'],
    shown(folders.task, GUEST_PATHS.task),
    shown(folders.runtime, GUEST_PATHS.runtime),
    shown(folders.language, GUEST_PATHS.language),
    shown(folders.opt, GUEST_PATHS.opt),
    shown(folders.cache, GUEST_PATHS.cache),
    ['--bind', folders.tmp, GUEST_PATHS.tmp],
    ['--remount-ro', '/dev'],
    system.closingArguments,
    ['--chdir', command.cwd],
    ...Object.entries(command.environment).map(([name, value]) => ['--setenv', name, value]),
    ...addedOptions.map((option, index) => [option, String(FIRST_ADDED_FD + index)]),
    ['--json-status-fd', String(STATUS_FD), '--block-fd', String(BLOCK_FD)],
  ];
  return parts
    .flat()
    .map((part) => `${part}\0`)
    .join('');
}

function shown(folder: string | undefined, path: string): string[] {
  return folder === undefined ? ['--dir', path] : ['--ro-bind', folder, path];
}
