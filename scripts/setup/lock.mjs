import { appendFileSync, linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

import { SetupError, say } from './project.mjs';

const LONGEST_WAIT_MS = 15 * 60_000;

/**
 * Runs `work` while no other process does work under the same lock file. A process that was killed
 * leaves its file behind; the next one sees that its owner is gone and takes it over.
 */
export async function withLock(path, work) {
  await acquire(path, holderLine(process.pid));
  heldLock = path;
  try {
    return await work();
  } finally {
    heldLock = undefined;
    rmSync(path, { force: true });
  }
}

let heldLock;

/** Keeps the lock taken until this child ends as well, should its parent be killed before it. */
export function shareLock(pid) {
  if (heldLock !== undefined && pid !== undefined) appendFileSync(heldLock, holderLine(pid));
}

function holderLine(pid) {
  return `${pid} ${startOf(pid)}\n`;
}

async function acquire(path, owner) {
  const giveUpAt = Date.now() + LONGEST_WAIT_MS;
  let told = false;
  while (!tryCreate(path, owner)) {
    const holder = readText(path);
    if (holder !== undefined && !isRunning(holder)) {
      removeStale(path, holder);
      continue;
    }
    if (Date.now() > giveUpAt) {
      throw new SetupError(`Cannot set up as ${path} is held by ${holder.trim()}: delete it`);
    }
    if (!told) say('waiting for another setup of this checkout');
    told = true;
    await delay(100);
  }
}

/** Creates the file together with its content: a link appears whole or not at all. */
function tryCreate(path, owner) {
  const draft = `${path}.${process.pid}`;
  writeFileSync(draft, owner);
  try {
    linkSync(draft, path);
    return true;
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  } finally {
    rmSync(draft, { force: true });
  }
}

/** Only one of several waiting processes wins the rename; one that caught a new lock gives it back. */
function removeStale(path, holder) {
  const aside = `${path}.${process.pid}.stale`;
  try {
    renameSync(path, aside);
  } catch {
    return;
  }
  try {
    if (readText(aside) !== holder) linkSync(aside, path);
  } catch {
    // Somebody else holds a lock of their own by now.
  }
  rmSync(aside, { force: true });
}

function isRunning(holder) {
  return holder.trim().split('\n').some(isProcess);
}

function isProcess(line) {
  const [pid, start] = line.split(' ');
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    return error.code === 'EPERM';
  }
  return startOf(pid) === start;
}

/** Start time of a process, which tells it from a later one of the same number; `-` without /proc. */
function startOf(pid) {
  const stat = readText(`/proc/${pid}/stat`);
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
