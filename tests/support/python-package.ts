import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findPython } from './python.ts';

const run = promisify(execFile);
const CACHE = new URL('../../node_modules/.cache/hearth-tests/', import.meta.url);

export interface InstalledPackage {
  /** The interpreter that it was installed for. */
  readonly python: string;
  /** For PYTHONPATH. */
  readonly folder: string;
}

/**
 * A package from PyPI, such as `boto3==1.43.11`, installed once beside the node modules; a reason
 * where it cannot be had.
 */
export async function installPythonPackage(
  requirement: string,
): Promise<InstalledPackage | { readonly reason: string }> {
  const python = await findPython();
  if (python === undefined) return { reason: 'no Python 3.9 or newer on PATH' };
  const [name = requirement] = requirement.split('==');
  const folder = fileURLToPath(new URL(`${name}/`, CACHE));
  try {
    await access(`${folder}${name}/__init__.py`);
  } catch {
    try {
      await run(python, ['-m', 'pip', 'install', '--quiet', '--target', folder, requirement]);
    } catch (error) {
      const text = error instanceof Error ? error.message.split('\n').at(-2) : '';
      return { reason: `${requirement} could not be installed with pip: ${text}` };
    }
  }
  return { python, folder };
}
