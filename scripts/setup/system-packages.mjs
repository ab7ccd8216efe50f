import { accessSync, constants, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';

import { captureChild } from './child.mjs';
import { projectRoot, say } from './project.mjs';

const RETRY_AFTER_MS = 60 * 60_000;
const failures = join(projectRoot, 'node_modules', '.hearth-missing-packages');

/** Debian packages of programs that sandboxes are made with. Hearth runs without any of them. */
const PACKAGES = [
  { name: 'bubblewrap', programs: ['bwrap'], without: 'functions run without isolation' },
  { name: 'nftables', programs: ['nft'], without: 'functions cannot connect to the outside' },
  {
    name: 'e2fsprogs',
    programs: ['mke2fs', 'tune2fs'],
    without: 'what functions write to /tmp takes memory',
  },
];

/** Where programs may be: those for administration are not on everybody's path. */
const PROGRAM_FOLDERS = [
  ...(process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== ''),
  '/usr/bin',
  '/bin',
  '/usr/sbin',
  '/sbin',
];

/** The packages of which a program is missing. */
export function missingPackages(folders = PROGRAM_FOLDERS) {
  return PACKAGES.filter(
    ({ programs }) => !programs.every((program) => isExecutableIn(folders, program)),
  );
}

/**
 * The missing packages that can be installed: as root on a Linux with apt. A failed attempt is not
 * repeated for an hour.
 */
export function wantedPackages() {
  if (process.platform !== 'linux' || process.getuid() !== 0) return [];
  const missing = missingPackages();
  if (missing.length === 0 || !isExecutableIn(PROGRAM_FOLDERS, 'apt-get')) return [];
  return missing.filter(({ name }) => Date.now() - modifiedMs(name) > RETRY_AFTER_MS);
}

/** Installs packages in one run of apt. A failure is a warning. */
export async function installPackages(packages) {
  const names = packages.map(({ name }) => name);
  say(`installing ${names.join(', ')} with apt-get, for the namespace sandbox`);
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  const lockWait = ['-o', 'DPkg::Lock::Timeout=120'];
  const steps = [
    [...lockWait, 'update', '-q'],
    [...lockWait, 'install', '-q', '-y', '--no-install-recommends', ...names],
  ];
  let last = '';
  for (const args of steps) {
    const { exitCode, output } = await captureChild('apt-get', args, { env });
    last = exitCode === 0 ? '' : output.trim();
  }
  const missing = missingPackages().filter(({ name }) => names.includes(name));
  for (const name of names) rmSync(join(failures, name), { force: true });
  if (missing.length === 0) return;
  mkdirSync(failures, { recursive: true });
  for (const { name } of missing) writeFileSync(join(failures, name), last);
  say(packageWarning(missing, last.split('\n').at(-1)));
}

/** One line that tells what is not enforced without the packages. */
export function packageWarning(packages, reason) {
  const names = packages.map(({ name }) => name).join(', ');
  const consequences = packages.map(({ without }) => without).join('; ');
  return `warning: ${names} could not be installed, so ${consequences}: ${reason}`;
}

function isExecutableIn(folders, program) {
  return folders.some((folder) => {
    try {
      accessSync(join(folder, program), constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

function modifiedMs(name) {
  return statSync(join(failures, name), { throwIfNoEntry: false })?.mtimeMs ?? 0;
}
