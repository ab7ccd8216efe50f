import { accessSync, constants, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { captureChild } from './child.mjs';
import { projectRoot, say } from './project.mjs';

const RETRY_AFTER_MS = 60 * 60_000;
const failure = join(projectRoot, 'node_modules', '.hearth-bubblewrap-failed');

/**
 * True where bubblewrap, which the `namespace` sandbox uses, is missing and can be installed: as root
 * on a Linux with apt. A failed attempt is not repeated for an hour.
 */
export function bubblewrapIsWanted() {
  if (process.platform !== 'linux' || process.getuid() !== 0) return false;
  if (isOnPath('bwrap') || !isOnPath('apt-get')) return false;
  return Date.now() - modifiedMs(failure) > RETRY_AFTER_MS;
}

/** Installs bubblewrap. Hearth runs without it, so a failure is a warning. */
export async function installBubblewrap() {
  say('installing bubblewrap with apt-get, for the namespace sandbox');
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const lockWait = ['-o', 'DPkg::Lock::Timeout=120'];
  const steps = [
    [...lockWait, 'update', '-q'],
    [...lockWait, 'install', '-q', '-y', '--no-install-recommends', 'bubblewrap'],
  ];
  let last = '';
  for (const args of steps) {
    const { exitCode, output } = await captureChild('apt-get', args, { env });
    last = exitCode === 0 ? '' : output.trim();
  }
  if (isOnPath('bwrap')) {
    rmSync(failure, { force: true });
    return;
  }
  writeFileSync(failure, last);
  const reason = last.split('\n').at(-1);
  say(`warning: bubblewrap could not be installed, so functions run without isolation: ${reason}`);
}

function isOnPath(program) {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/bin', '/bin'];
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return folder !== '';
    } catch {
      return false;
    }
  });
}

function modifiedMs(path) {
  return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
