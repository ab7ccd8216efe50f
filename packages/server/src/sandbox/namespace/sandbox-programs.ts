import { accessSync, constants, readFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SandboxError } from '../sandbox.ts';

/** Programs of the system that sandboxes are started with; absolute paths. */
export interface SandboxPrograms {
  readonly bwrap: string;
  /**
   * Sets the limits of a process on the way to bubblewrap. It costs a millisecond, so it is there
   * only where the server may not set the limits of another user's process by itself.
   */
  readonly prlimit: string | undefined;
}

/** Programs for administration are not on everybody's path. */
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/usr/sbin', '/sbin'];
const CAP_SYS_RESOURCE = 24n;

/** @throws SandboxError where the platform is another or a program is missing */
export function findSandboxPrograms(): SandboxPrograms {
  if (process.platform !== 'linux') {
    throw new SandboxError(
      `Cannot use namespaces as the platform must be linux: ${process.platform}`,
    );
  }
  const setsOwnUsersLimits = process.getuid?.() !== 0;
  return {
    bwrap: findProgram('bwrap', 'bubblewrap'),
    prlimit:
      setsOwnUsersLimits || hasCapability(CAP_SYS_RESOURCE)
        ? undefined
        : findProgram('prlimit', 'util-linux'),
  };
}

function hasCapability(capability: bigint): boolean {
  const effective = /^CapEff:\s*([0-9a-f]+)$/m.exec(
    readFileSync('/proc/self/status', 'latin1'),
  )?.[1];
  return ((BigInt(`0x${effective ?? '0'}`) >> capability) & 1n) === 1n;
}

/** Absolute path of a program; throws a SandboxError that names the package where it is missing. */
export function findProgram(program: string, packageName: string): string {
  const folders = [...(process.env.PATH ?? '').split(delimiter), ...USUAL_FOLDERS];
  const found = folders
    .filter((folder) => folder.startsWith('/'))
    .map((folder) => join(folder, program))
    .find(isExecutable);
  if (found === undefined) {
    throw new SandboxError(`Cannot find ${program}: install the package ${packageName}`);
  }
  return found;
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
