import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A server that was killed takes its functions with it, but not in the same instant. */
const PATIENCE_MS = 5_000;

/** Ids of the server instances that have mounts or control groups on this machine. */
export function instances() {
  return new Set([...mounts().keys(), ...controlGroups().keys()]);
}

/**
 * Waits for what the run started to end, and tells what did not. Others work on the same machine, so
 * a process counts only where it is certain to be the run's: `folder`, the run's own temporary folder,
 * is in its arguments, environment, working directory or mounts. Those are killed; nothing else is.
 * Mounts and control groups count unless they were there `before` or are somebody else's.
 */
export async function findLeftovers(folder, before, patienceMs = PATIENCE_MS) {
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    const strays = processesOf(folder);
    const traces = tracesOf(folder, before);
    if (strays.length + traces.length === 0) return [];
    if (Date.now() > giveUpAt) {
      const found = [...strays.map(describe), ...traces];
      for (const pid of strays) kill(pid);
      return found;
    }
    await delay(50);
  }
}

function processesOf(folder) {
  const ownNamespace = readLink('/proc/self/ns/mnt');
  return processIds().filter((pid) => {
    if (pid === process.pid) return false;
    const place = `/proc/${pid}`;
    const facts = [
      readText(`${place}/cmdline`),
      readText(`${place}/environ`),
      readLink(`${place}/cwd`),
    ];
    // Inside a sandbox the code is mounted from the data folder. Outside, mounts are everybody's.
    const namespace = readLink(`${place}/ns/mnt`);
    if (namespace !== '' && namespace !== ownNamespace) facts.push(readText(`${place}/mountinfo`));
    return facts.some((text) => text.includes(folder));
  });
}

function tracesOf(folder, before) {
  const living = livingServers();
  const mounted = mounts();
  const isForeign = (id) => {
    if (before.has(id) || living.has(id)) return true;
    // Where code was mounted from tells whose instance it is.
    const sources = (mounted.get(id) ?? []).map(({ source }) => source).filter((s) => s !== '/');
    return sources.length > 0 && !sources.some((source) => source.includes(folder));
  };
  return [
    ...[...mounted].flatMap(([id, list]) =>
      list.map(({ path }) => ({ id, text: `mount ${path}` })),
    ),
    ...[...controlGroups()].map(([id, path]) => ({ id, text: `control group ${path}` })),
  ]
    .filter(({ id }) => !isForeign(id))
    .map(({ text }) => text);
}

/** Mounts in `/run/hearth/<instance>`, by instance. */
function mounts() {
  const found = new Map();
  for (const line of readText('/proc/self/mountinfo').split('\n')) {
    const [, , , source, path = ''] = line.split(' ');
    const id = /^\/run\/hearth\/([0-9a-f]{12})(\/|$)/.exec(path)?.[1];
    if (id !== undefined) found.set(id, [...(found.get(id) ?? []), { source, path }]);
  }
  return found;
}

/** A `hearth-<instance>` of each instance, which it makes in the groups that it was started in. */
function controlGroups(folder = '/sys/fs/cgroup', found = new Map()) {
  for (const entry of readFolder(folder).filter((candidate) => candidate.isDirectory())) {
    const path = join(folder, entry.name);
    const id = /^hearth-([0-9a-f]{12})$/.exec(entry.name)?.[1];
    if (id === undefined) controlGroups(path, found);
    else found.set(id, path);
  }
  return found;
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
  return new Set(
    [...dataFolders].flatMap((data) => readFolder(join(data, 'run')).map(({ name }) => name)),
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
