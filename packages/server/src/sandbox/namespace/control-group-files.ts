import { readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { SystemClock } from '../../clock/system-clock.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** In version 2 freezing is no controller: every group can be frozen. */
export type Controller = 'memory' | 'cpu' | 'pids' | 'freezer';
export const CONTROLLERS: readonly Controller[] = ['memory', 'cpu', 'pids', 'freezer'];

/** A mounted hierarchy of control groups, and this process's place in it. */
export interface Hierarchy {
  readonly version: 1 | 2;
  /** What version 1 mounted on it; version 2 tells in a file. */
  readonly controllers: readonly string[];
  readonly mountPoint: string;
  /** Folder of the group that this process is in; the mount point where that cannot be seen. */
  readonly own: string;
}

/**
 * The hierarchies of this machine.
 *
 * @param mountInfo content of `/proc/self/mountinfo`
 * @param membership content of `/proc/self/cgroup`
 */
export function parseHierarchies(mountInfo: string, membership: string): Hierarchy[] {
  const paths = new Map<string, string>();
  for (const line of membership.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers !== undefined && path !== undefined) paths.set(controllers, path);
  }
  return mountInfo.split('\n').flatMap((line) => {
    const [left = '', right = ''] = line.split(' - ');
    const [, , , root = '/', escapedMountPoint = ''] = left.split(' ');
    const [type, , options = ''] = right.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    const version = type === 'cgroup2' ? 2 : 1;
    const names = new Set(options.split(','));
    const [controllers, path] =
      [...paths].find(([key]) =>
        version === 2 ? key === '' : key !== '' && key.split(',').every((name) => names.has(name)),
      ) ?? [];
    if (controllers === undefined || path === undefined) return [];
    const mountPoint = unescapeOctal(escapedMountPoint);
    return [
      {
        version,
        controllers: controllers.split(','),
        mountPoint,
        own: join(mountPoint, pathBelow(root, path)),
      },
    ];
  });
}

/** Removes a group that holds no living process; the kernel may take a moment to see that. */
export async function removeGroup(folder: string): Promise<void> {
  const clock = new SystemClock();
  const endMs = clock.monotonicMs() + REMOVE_LIMIT_MS;
  for (;;) {
    try {
      await rmdir(folder);
      return;
    } catch (error) {
      const code = errorCode(error);
      if (code === 'ENOENT') return;
      if (code !== 'EBUSY' || clock.monotonicMs() >= endMs) throw error;
    }
  }
}

/**
 * Kills what a dead server's groups still hold. What is frozen is thawed, as it may not die before,
 * and finds itself killed.
 */
export async function killInstanceGroup(folder: string): Promise<void> {
  for (const group of await groupsIn(folder)) {
    await killMembers(group);
    for (const [name, value] of THAWING) await writeIfThere(join(group, name), value);
  }
}

/** Removes a dead server's groups, in which nothing is left. */
export async function removeInstanceGroup(folder: string): Promise<void> {
  for (const group of await groupsIn(folder)) await removeGroup(group);
  await removeGroup(folder);
}

const REMOVE_LIMIT_MS = 2_000;
const THAWING = [
  ['freezer.state', 'THAWED'],
  ['cgroup.freeze', '0'],
] as const;

async function groupsIn(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries.filter((entry) => entry.isDirectory()).map(({ name }) => join(folder, name));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function writeIfThere(path: string, value: string): Promise<void> {
  try {
    await writeFile(path, value, { flag: 'r+' });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

async function killMembers(folder: string): Promise<void> {
  const pids = (await readFile(join(folder, 'cgroup.procs'), 'latin1')).split('\n');
  for (const pid of pids.filter((line) => /^[1-9]\d*$/.test(line))) {
    try {
      process.kill(Number(pid), 'SIGKILL');
    } catch (error) {
      if (errorCode(error) !== 'ESRCH') throw error;
    }
  }
}

function pathBelow(root: string, path: string): string {
  if (root === '/') return path.includes('..') ? '/' : path;
  return path.startsWith(`${root}/`) ? path.slice(root.length) : '/';
}

/** mountinfo writes white space and backslashes as three octal digits. */
function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
