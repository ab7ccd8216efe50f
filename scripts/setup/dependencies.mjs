import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { installFromLockFile } from './npm.mjs';
import { projectRoot, say } from './project.mjs';

const lockFile = join(projectRoot, 'package-lock.json');
const modules = join(projectRoot, 'node_modules');
const stamp = join(modules, '.hearth-lock-sha256');

/** True where node_modules holds what the lock file says. */
export function dependenciesAreInstalled() {
  const wanted = readText(lockFile);
  const installed = readText(join(modules, '.package-lock.json'));
  if (wanted === undefined || installed === undefined) return false;
  return readText(stamp) === sha256(wanted) || agree(JSON.parse(wanted), JSON.parse(installed));
}

export async function installDependencies(node) {
  say('installing dependencies from package-lock.json');
  await installFromLockFile(projectRoot, node);
  writeFileSync(stamp, sha256(readFileSync(lockFile, 'utf8')));
}

/** npm's own record of node_modules leaves out what is for other platforms, and nothing else. */
function agree(wanted, installed) {
  return Object.entries(wanted.packages).every(([path, entry]) => {
    if (path === '') return true;
    const found = installed.packages[path];
    if (found === undefined) return entry.optional === true || entry.devOptional === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

function sha256(text) {
  return createHash('sha256').update(text).digest('hex');
}

function readText(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}
