import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

/** A server that was killed takes its functions with it, but not in the same instant. */
const PATIENCE_MS = 5_000;
const SAMPLE_EVERY_MS = 100;
/** Data folders of tests lie no deeper than this below the run's folder. */
const DEPTH = 3;

/**
 * Notes which server instances the run makes: each has a record in `<data folder>/run/<instance>`,
 * and the data folders are below the run's own temporary folder. Others work on the same machine, so
 * this is what tells the run's mounts and control groups from theirs.
 */
export function watchInstances(folder) {
  const seen = new Set();
  const sample = () => collectInstances(folder, DEPTH, seen);
  const timer = setInterval(sample, SAMPLE_EVERY_MS).unref();
  return {
    seen,
    stop: () => {
      sample();
      clearInterval(timer);
    },
  };
}

/**
 * Waits for what the run started to end, and tells what did not: processes that have `folder` in
 * their arguments, environment, working directory or mounts, and what the run's server instances have
 * mounted, grouped, claimed or made on the network. Only such processes are killed.
 */
export async function findLeftovers(folder, seenInstances, patienceMs = PATIENCE_MS) {
  const giveUpAt = Date.now() + patienceMs;
  for (;;) {
    const strays = processesOf(folder);
    const traces = seenInstances.size === 0 ? [] : tracesOf(seenInstances);
    if (strays.length + traces.length === 0) return [];
    if (Date.now() > giveUpAt) {
      const found = [...strays.map(describe), ...traces];
      for (const pid of strays) kill(pid);
      return found;
    }
    await delay(50);
  }
}

function collectInstances(folder, depth, seen) {
  for (const entry of readFolder(folder)) {
    if (!entry.isDirectory() || entry.name === 'node_modules') continue;
    const path = join(folder, entry.name);
    if (entry.name === 'run') {
      for (const { name } of readFolder(path)) if (/^[0-9a-f]{12}$/.test(name)) seen.add(name);
    } else if (depth > 1) collectInstances(path, depth - 1, seen);
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

function tracesOf(instances) {
  return [...mounts(), ...controlGroups(), ...claims(), ...links(instances), ...filterTables()]
    .filter(({ instance }) => instances.has(instance))
    .map(({ text }) => text);
}

/** Each instance mounts in `/run/hearth/<instance>`. */
function mounts() {
  return readText('/proc/self/mountinfo')
    .split('\n')
    .map((line) => line.split(' ')[4] ?? '')
    .filter((path) => path.startsWith('/run/hearth/'))
    .map((path) => ({ instance: path.split('/')[3], text: `mount ${path}` }));
}

/** Each instance makes a `hearth-<instance>` in the groups that its server was started in. */
function controlGroups(folder = '/sys/fs/cgroup') {
  return readFolder(folder)
    .filter((entry) => entry.isDirectory())
    .flatMap(({ name }) => {
      const path = join(folder, name);
      const instance = /^hearth-([0-9a-f]{12})$/.exec(name)?.[1];
      if (instance === undefined) return controlGroups(path);
      return [{ instance, text: `control group ${path}` }];
    });
}

/**
 * Each instance claims users and addresses by links to its id, and that a link of the host passes
 * packets on by a file.
 */
function claims(folder = '/run/hearth') {
  const byLink = ['uids', 'networks'].flatMap((kind) =>
    readFolder(join(folder, kind)).map(({ name }) => join(folder, kind, name)),
  );
  const byFile = readFolder(join(folder, 'forwarding')).flatMap(({ name: link }) =>
    readFolder(join(folder, 'forwarding', link)).map(({ name }) => ({
      instance: name,
      text: `forwarding of ${link} for ${name}`,
    })),
  );
  const described = byLink.map((path) => ({ instance: readLink(path), text: `claim ${path}` }));
  return [...described, ...byFile];
}

/** Each instance names its link by the first letters of its id; namespaces go with their processes. */
function links(instances) {
  const names = [...readText('/proc/net/dev').matchAll(/^\s*([^\s:]+):/gm)].map(([, name]) => name);
  return [...instances].flatMap((instance) =>
    names
      .filter((name) => name === `hearth${instance.slice(0, 8)}`)
      .map((name) => ({ instance, text: `link ${name}` })),
  );
}

/** Each instance has a `hearth_<instance>` in the packet filter. */
function filterTables() {
  // Without nft, or the right to ask it, no server has made one.
  const env = { PATH: `${process.env.PATH ?? ''}:/usr/sbin:/sbin` };
  const { stdout } = spawnSync('nft', ['list', 'tables'], { encoding: 'utf8', env });
  return (stdout ?? '').split('\n').flatMap((line) => {
    const instance = /^table inet hearth_([0-9a-f]{12})$/.exec(line)?.[1];
    return instance === undefined ? [] : [{ instance, text: `packet filter ${line}` }];
  });
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
