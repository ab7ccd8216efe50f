import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A server that was killed takes its functions with it, but not in the same instant. */
const PATIENCE_MS = 5_000;

/** Mounts and cgroups of Hearth on this machine, as text. Other servers may be running. */
export function traces() {
  return new Set([...mounts(), ...cgroups()]);
}

/**
 * Waits for what the run started to end, and tells what did not: processes that mention `folder`, the
 * run's own temporary folder, and the traces that are not in `before`. Such processes are then killed.
 */
export async function findLeftovers(folder, before) {
  const giveUpAt = Date.now() + PATIENCE_MS;
  for (;;) {
    const strays = processesThatMention(folder);
    const remains = [...traces()].filter((trace) => !before.has(trace));
    if (strays.length === 0 && remains.length === 0) return [];
    if (Date.now() > giveUpAt) {
      for (const { pid } of strays) kill(pid);
      return [...strays.map(({ pid, title }) => `process ${pid}: ${title}`), ...remains];
    }
    await delay(50);
  }
}

function processesThatMention(folder) {
  const found = [];
  for (const pid of readFolder('/proc').filter((name) => /^\d+$/.test(name))) {
    const place = `/proc/${pid}`;
    const commandLine = readText(`${place}/cmdline`);
    const mentions = [commandLine, readText(`${place}/environ`), readLink(`${place}/cwd`)];
    if (Number(pid) !== process.pid && mentions.some((text) => text.includes(folder))) {
      found.push({ pid: Number(pid), title: commandLine.replaceAll('\0', ' ').slice(0, 200) });
    }
  }
  return found;
}

function mounts() {
  return readText('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith('/run/hearth'))
    .map((path) => `mount ${path}`);
}

/** cgroup v2 and the hierarchies of v1, below the group that Hearth makes its own in. */
function cgroups() {
  const root = '/sys/fs/cgroup';
  const hierarchies = [root, ...readFolder(root).map((name) => join(root, name))];
  return hierarchies
    .map((hierarchy) => join(hierarchy, 'hearth'))
    .flatMap((parent) =>
      readFolder(parent, { withFileTypes: true }).map((entry) => [parent, entry]),
    )
    .filter(([, entry]) => entry.isDirectory())
    .map(([parent, entry]) => `cgroup ${join(parent, entry.name)}`);
}

function kill(pid) {
  try {
    process.kill(pid, 'SIGKILL');
  } catch {
    // Gone by itself.
  }
}

function readFolder(path, options) {
  try {
    return readdirSync(path, options);
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
