import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A server that was killed takes its functions with it, but not in the same instant. */
const PATIENCE_MS = 5_000;

/** Marks are at least this large, and limits that anybody means are not. */
const MARK = 1n << 61n;

/**
 * What servers have made on this machine outside their data folders, by the id of the server
 * instance: mounts, control groups, and processes of functions, which bear the instance's mark.
 * @returns {Map<string, { instance: string, pid?: number }>} by a text that describes it
 */
export function traces() {
  return new Map([...mounts(), ...controlGroups(), ...functionProcesses()]);
}

/**
 * Waits for what the run started to end, and tells what did not: processes that mention `folder`, the
 * run's own temporary folder, and traces that neither were there `before` nor belong to a server that
 * runs beside the tests. Processes that are left are then killed.
 */
export async function findLeftovers(folder, before) {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const foreign = new Set(livingServers().flatMap(({ id, tag }) => [id, tag]));
    const remains = new Map([
      ...processesThatMention(folder),
      ...[...traces()].filter(
        ([text, { instance }]) => !before.has(text) && !foreign.has(instance),
      ),
    ]);
    if (remains.size === 0) return [];
    if (Date.now() > giveUpAt) {
      for (const { pid } of remains.values()) if (pid !== undefined) kill(pid);
      return [...remains.keys()];
    }
    await delay(50);
  }
}

function processesThatMention(folder) {
  return processIds()
    .filter((pid) => pid !== process.pid)
    .filter((pid) =>
      [
        readText(`/proc/${pid}/cmdline`),
        readText(`/proc/${pid}/environ`),
        readLink(`/proc/${pid}/cwd`),
      ].some((text) => text.includes(folder)),
    )
    .map((pid) => [describe(pid), { pid }]);
}

/** Each server mounts in `/run/hearth/<instance>`. */
function mounts() {
  return readText('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith('/run/hearth/'))
    .map((path) => [`mount ${path}`, { instance: path.split('/')[3] }]);
}

/** Each server makes a `hearth-<instance>` in the groups that it was started in. */
function controlGroups(folder = '/sys/fs/cgroup') {
  return readFolder(folder)
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const instance = /^hearth-([0-9a-f]{12})$/.exec(name)?.[1];
      const path = join(folder, name);
      return instance === undefined
        ? controlGroups(path)
        : [[`control group ${path}`, { instance }]];
    });
}

/** The mark is a soft limit of real-time scheduling that nobody else would set: see process-tag.ts. */
function functionProcesses() {
  return processIds().flatMap((pid) => {
    const limit = /^Max realtime timeout\s+(\d+)/m.exec(readText(`/proc/${pid}/limits`))?.[1];
    if (limit === undefined || BigInt(limit) < MARK) return [];
    const isZombie = /\) [ZX] /.test(readText(`/proc/${pid}/stat`));
    return isZombie ? [] : [[describe(pid), { pid, instance: instanceTag(BigInt(limit)) }]];
  });
}

function instanceTag(mark) {
  return String(mark & ~0xfffffn);
}

/** Servers hold their database open; beside it lie the records of their instances. */
function livingServers() {
  const dataFolders = new Set();
  for (const pid of processIds()) {
    for (const { name } of readFolder(`/proc/${pid}/fd`)) {
      const path = readLink(`/proc/${pid}/fd/${name}`);
      if (basename(path) === 'hearth.db') dataFolders.add(dirname(path));
    }
  }
  return [...dataFolders].flatMap((folder) =>
    readFolder(join(folder, 'run')).flatMap(({ name }) => {
      const text = readText(join(folder, 'run', name, 'instance.json'));
      if (text === '') return [];
      const { instanceId, tag } = JSON.parse(text);
      return [{ id: instanceId, tag: tag === undefined ? undefined : instanceTag(BigInt(tag)) }];
    }),
  );
}

function processIds() {
  return readFolder('/proc')
    .map(({ name }) => Number(name))
    .filter(Number.isInteger);
}

function describe(pid) {
  return `process ${pid}: ${readText(`/proc/${pid}/cmdline`).replaceAll('\0', ' ').slice(0, 200)}`;
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}

function readFolder(path) {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch {
    return [];
  }
}

function readText(path) {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

function readLink(path) {
  try {
    return readlinkSync(path);
  } catch {
    return '';
  }
}
