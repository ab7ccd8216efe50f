import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';
import { SandboxError } from '../sandbox.ts';

/** Programs of the system that sandboxes are started with. */
export interface SandboxPrograms {
  /** Absolute path. */
  readonly bwrap: string;
}

/** Programs for administration are not on everybody's path. */
const USUAL_FOLDERS = ['/usr/bin', '/usr/local/bin', '/usr/sbin', '/sbin'];

/** @throws SandboxError where the platform is another or a program is missing */
export function findSandboxPrograms(): SandboxPrograms {
  if (process.platform !== 'linux') {
    throw new SandboxError(
      `Cannot use namespaces as the platform must be linux: ${process.platform}`,
    );
  }
  return { bwrap: findProgram('bwrap', 'bubblewrap') };
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
