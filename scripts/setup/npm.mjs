import { basename, delimiter, dirname } from 'node:path';

import { captureChild } from './child.mjs';
import { SetupError } from './project.mjs';

/** The environment of this process with `node`'s folder first on PATH. */
export function environmentWith(node) {
  const path = process.env.PATH ?? '';
  const folder = dirname(node);
  const first = path.split(delimiter)[0] === folder;
  return { ...process.env, PATH: first ? path : folder + delimiter + path };
}

/**
 * `npm ci` in `folder`: exactly what the lock file says, checked against its hashes, without running
 * the packages' own scripts.
 */
export async function installFromLockFile(folder, node) {
  const env = environmentWith(node);
  for (const name of Object.keys(env)) {
    // What `npm run` says about the script that it runs; it is not about this installation.
    if (/^npm_(package_|lifecycle_|command$|config_local_prefix$)/.test(name)) delete env[name];
  }
  const args = ['ci', '--ignore-scripts', '--include=dev', '--include=optional'];
  const cli = process.env.npm_execpath;
  const isNpm = cli !== undefined && basename(cli) === 'npm-cli.js';
  const { exitCode, output } = await (isNpm
    ? captureChild(node, [cli, ...args], { cwd: folder, env })
    : captureChild('npm', args, { cwd: folder, env }));
  if (exitCode !== 0) {
    throw new SetupError(
      `Cannot install packages: npm ci ended with ${exitCode}\n${output.trim()}`,
    );
  }
}
