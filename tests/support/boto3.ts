import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { findPython } from './python.ts';

const run = promisify(execFile);
const BOTO3 = 'boto3==1.43.11';
const INSTALLED = fileURLToPath(
  new URL('../../node_modules/.cache/hearth-tests/boto3/', import.meta.url),
);

export interface Boto3 {
  /** Runs a program that may import boto3; what it prints. */
  run(program: string, environment: Record<string, string>): Promise<string>;
}

/** boto3 from PyPI, installed once beside the node modules; a reason where it cannot be had. */
export async function installBoto3(): Promise<Boto3 | { readonly reason: string }> {
  const python = await findPython();
  if (python === undefined) return { reason: 'no Python 3.9 or newer on PATH' };
  try {
    await access(`${INSTALLED}boto3/__init__.py`);
  } catch {
    try {
      await run(python, ['-m', 'pip', 'install', '--quiet', '--target', INSTALLED, BOTO3]);
    } catch (error) {
      const text = error instanceof Error ? error.message.split('\n').at(-2) : '';
      return { reason: `${BOTO3} could not be installed with pip: ${text}` };
    }
  }
  return {
    run: async (program, environment) => {
      const { stdout } = await run(python, ['-c', program], {
        env: { PATH: process.env['PATH'] ?? '', PYTHONPATH: INSTALLED, ...environment },
      });
      return stdout;
    },
  };
}
