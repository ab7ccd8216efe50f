// Like all .mjs files here, this runs on Node.js 20 with nothing installed.
import { join } from 'node:path';

import { interruption } from './setup/child.mjs';
import { dependenciesAreInstalled, installDependencies } from './setup/dependencies.mjs';
import { buildGuestBundle, guestBundleIsFresh } from './setup/guest-bundle.mjs';
import { withLock } from './setup/lock.mjs';
import { findNode, installNode } from './setup/node.mjs';
import { environmentWith } from './setup/npm.mjs';
import { SetupError, projectRoot, say } from './setup/project.mjs';
import { installPackages, wantedPackages } from './setup/system-packages.mjs';

/**
 * Makes the checkout ready to run. Resolves to the Node.js to run it with and the environment for it.
 * Where it cannot be made ready, the reason is printed and this process ends with 1.
 */
export async function prepare() {
  try {
    if (!isReady()) await withLock(join(projectRoot, '.setup.lock'), install);
  } catch (error) {
    const exitCode = interruption();
    if (exitCode === undefined) say(isPlain(error) ? error.message : error.stack);
    process.exit(exitCode ?? 1);
  }
  const node = findNode();
  return { node, env: environmentWith(node) };
}

/** A failure that its message explains; one of the system names the file. */
function isPlain(error) {
  return error instanceof SetupError || typeof error.code === 'string';
}

function isReady() {
  return (
    findNode() !== undefined &&
    dependenciesAreInstalled() &&
    wantedPackages().length === 0 &&
    guestBundleIsFresh()
  );
}

async function install() {
  const startedAt = Date.now();
  const node = findNode() ?? (await installNode());
  if (!dependenciesAreInstalled()) await installDependencies(node);
  const packages = wantedPackages();
  if (packages.length > 0) await installPackages(packages);
  if (!guestBundleIsFresh()) await buildGuestBundle(node);
  say(`ready to run after ${((Date.now() - startedAt) / 1000).toFixed(1)} s`);
}
