import type { GuestCommand, SandboxDirectories } from '../../sandbox.ts';
import { GUEST_PATHS } from '../guest-paths.ts';
import type { SystemImage } from '../system-image.ts';

/** To enter namespaces, control groups and the users of sandboxes, and nothing else. */
const CAPABILITIES = [
  'CAP_SYS_ADMIN',
  'CAP_SYS_CHROOT',
  'CAP_SYS_PTRACE',
  'CAP_SETUID',
  'CAP_SETGID',
  'CAP_SETPCAP',
  'CAP_DAC_READ_SEARCH',
];

const LIBRARY_PARENTS = [GUEST_PATHS.task, GUEST_PATHS.opt];

/**
 * Options of bubblewrap for a zygote: the file system, arguments and variables of its guests, of
 * which they inherit what shows in /proc; the namespaces, otherwise, of the server.
 */
export function zygoteOptions(
  image: Pick<SystemImage, 'arguments'>,
  { runtime, language }: SandboxDirectories,
  { environment }: GuestCommand,
): string[] {
  return [
    ['--die-with-parent', '--new-session'],
    ['--cap-drop', 'ALL', ...CAPABILITIES.flatMap((name) => ['--cap-add', name])],
    image.arguments,
    ['--proc', '/proc', '--dev', '/dev'],
    // A folder of libraries that is not there when the first is looked for is never looked into again.
    LIBRARY_PARENTS.flatMap((folder) => [
      '--tmpfs',
      folder,
      '--dir',
      `${folder}/lib`,
      '--remount-ro',
      folder,
    ]),
    shown(runtime, GUEST_PATHS.runtime),
    shown(language, GUEST_PATHS.language),
    ['--chdir', '/'],
    ...Object.entries(environment).map(([name, value]) => ['--setenv', name, value]),
  ].flat();
}

function shown(folder: string | undefined, path: string): string[] {
  return folder === undefined ? ['--dir', path] : ['--ro-bind', folder, path];
}
