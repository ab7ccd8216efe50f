import { lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';

/** What a server process holds on this machine, as numbers by kind. */
export type Holdings = Readonly<Record<string, number>>;

/** Counts what the server `pid`, on `dataDir`, holds at this moment. Linux only. */
export function holdingsOf(pid: number, dataDir: string): Holdings {
  const [instance = ''] = readdirSync(join(dataDir, 'run'));
  return {
    ...descriptorsOf(pid),
    processes: descendants(pid),
    mounts: mountsOf(pid, instance),
    'control groups': controlGroups('/sys/fs/cgroup', instance),
    'loop devices': loopDevices(dataDir),
    'files of the instance': filesBelow(join(dataDir, 'run')),
    'files of mounts': filesBelow(join('/run/hearth', instance)),
  };
}

/** Kinds of which there are more now than before; empty where nothing has grown. */
export function grown(before: Holdings, now: Holdings): string[] {
  return Object.entries(now)
    .filter(([kind, count]) => count > (before[kind] ?? 0))
    .map(([kind, count]) => `${kind}: ${before[kind] ?? 0} -> ${count}`);
}

function descriptorsOf(pid: number): Record<string, number> {
  const folder = `/proc/${pid}/fd`;
  const counts: Record<string, number> = {};
  for (const name of listed(folder)) {
    const target = linkOf(join(folder, name));
    const kind = /^(socket|pipe|net|anon_inode):/.exec(target)?.[1] ?? 'files';
    counts[`descriptors, ${kind}`] = (counts[`descriptors, ${kind}`] ?? 0) + 1;
  }
  return counts;
}

function descendants(pid: number): number {
  const children = listed(`/proc/${pid}/task`)
    .flatMap((task) => textOf(`/proc/${pid}/task/${task}/children`).trim().split(' '))
    .filter((text) => text !== '')
    .map(Number);
  return children.reduce((count, child) => count + 1 + descendants(child), 0);
}

function mountsOf(pid: number, instance: string): number {
  return textOf(`/proc/${pid}/mountinfo`)
    .split('\n')
    .filter((line) => line.includes(`/run/hearth/${instance}`)).length;
}

function controlGroups(folder: string, instance: string): number {
  return foldersIn(folder).reduce((count, name) => {
    const path = join(folder, name);
    return count + (path.includes(`hearth-${instance}`) ? 1 : 0) + controlGroups(path, instance);
  }, 0);
}

function loopDevices(dataDir: string): number {
  return listed('/sys/block').filter((name) =>
    textOf(`/sys/block/${name}/loop/backing_file`).startsWith(dataDir),
  ).length;
}

/** Of one file system only: the system's own folders are mounted there, too. */
function filesBelow(folder: string): number {
  const below = (parent: string, dev: number): number =>
    readdirSync(parent).reduce((count, name) => {
      const path = join(parent, name);
      const stats = lstatSync(path);
      return count + 1 + (stats.isDirectory() && stats.dev === dev ? below(path, dev) : 0);
    }, 0);
  try {
    return below(folder, lstatSync(folder).dev);
  } catch {
    // Something in it has just gone.
    return Infinity;
  }
}

function foldersIn(folder: string): string[] {
  try {
    return readdirSync(folder, { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
  } catch {
    return [];
  }
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

function textOf(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
