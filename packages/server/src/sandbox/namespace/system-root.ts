import { existsSync, lstatSync, readdirSync, readlinkSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import { GUEST_PATHS } from './guest-paths.ts';
import { makeFolder, mountTreeReadOnly } from './mount-folder.ts';

/**
 * Folders with the system's programs: some are links to, or twins of, those in /usr, as the
 * distribution has it. On NixOS everything in /usr and /bin leads to the last.
 */
const PROGRAM_FOLDERS = [
  '/usr',
  '/bin',
  '/sbin',
  '/lib',
  '/lib32',
  '/lib64',
  '/libx32',
  '/nix/store',
];
/** Read-only parts of the host's /etc: certificates, and what links of programs lead through. */
const SHARED_ETC = /^(ssl|pki|ca-certificates|alternatives|java[\w.-]*)$/;

/** A folder of the host that is shown as it is. */
interface SharedFolder {
  readonly path: string;
  /** Where it leads, if it is a symbolic link. */
  readonly link: string | undefined;
}

/**
 * Makes a folder the root of sandboxes: the system's programs are mounted in it, and there is an
 * empty folder for all that each sandbox has of its own. Bubblewrap then shows this one folder
 * instead of a dozen; for each it would read the list of all mounts of the host, and on a busy server
 * there are hundreds.
 *
 * @param root where /etc is made already; whoever made it takes it away, with its mounts
 */
export function prepareRoot(calls: LinuxSystemCalls, root: string): void {
  for (const path of ['/proc', '/dev', ...Object.values(GUEST_PATHS)]) makePath(root, path);
  for (const { path, link } of sharedFolders()) {
    if (link === undefined) {
      makePath(root, path);
      mountTreeReadOnly(calls, path, join(root, path));
    } else {
      symlinkSync(link, join(root, path));
    }
  }
}

/** Arguments of bubblewrap that make the same root for one sandbox, where nothing can be mounted. */
export function rootArguments(etc: string): string[] {
  const shared = sharedFolders();
  for (const { path } of shared) if (path.startsWith('/etc/')) makePath(etc, path.slice(4));
  return [
    ['--ro-bind', etc, '/etc'],
    ...shared.map(({ path, link }) =>
      link === undefined ? ['--ro-bind', path, path] : ['--symlink', link, path],
    ),
  ].flat();
}

function sharedFolders(): SharedFolder[] {
  const programs = PROGRAM_FOLDERS.filter((path) => existsSync(path)).map((path) => ({
    path,
    link: lstatSync(path).isSymbolicLink() ? readlinkSync(path) : undefined,
  }));
  const etc = readdirSync('/etc', { withFileTypes: true })
    .filter((entry) => entry.isDirectory() && SHARED_ETC.test(entry.name))
    .map(({ name }) => ({ path: `/etc/${name}`, link: undefined }));
  return [...programs, ...etc];
}

/** Every folder on the way to `path` in `root` that is not there yet, open to every user. */
function makePath(root: string, path: string): void {
  let folder = root;
  for (const name of path.split('/').filter((part) => part !== '')) {
    folder = join(folder, name);
    if (!existsSync(folder)) makeFolder(folder, 0o755);
  }
}
