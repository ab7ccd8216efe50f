import { createHash } from 'node:crypto';
import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { captureChild } from './child.mjs';
import { environmentWith } from './npm.mjs';
import { SetupError, projectRoot, say } from './project.mjs';

const bootstrap = join(projectRoot, 'packages', 'bootstrap');
const build = join(bootstrap, 'build.ts');
const sources = join(bootstrap, 'node');
const bundle = join(bootstrap, 'dist', 'node', 'index.cjs');
const stamp = join(projectRoot, 'node_modules', '.hearth-bundle-sha256');

/** True where the bundle that runs inside Node.js functions is made from the sources as they are. */
export function guestBundleIsFresh() {
  return existsSync(bundle) && existsSync(stamp) && readFileSync(stamp, 'utf8') === sourceHash();
}

export async function buildGuestBundle(node) {
  say('bundling the Node.js bootstrap');
  const before = sourceHash();
  const { exitCode, output } = await captureChild(node, [build], {
    cwd: projectRoot,
    env: environmentWith(node),
  });
  if (exitCode !== 0) {
    throw new SetupError(`Cannot bundle the Node.js bootstrap: ${build} failed\n${output.trim()}`);
  }
  writeFileSync(stamp, before);
}

function sourceHash() {
  const hash = createHash('sha256').update(readFileSync(build));
  const names = readdirSync(sources, { recursive: true, encoding: 'utf8' });
  for (const name of names.filter(isSource).sort((a, b) => (a < b ? -1 : 1))) {
    hash.update(`\0${name}\0`).update(readFileSync(join(sources, name)));
  }
  return hash.digest('hex');
}

function isSource(name) {
  return /\.[cm]?[jt]s$/.test(name) && !name.endsWith('.test.ts');
}
