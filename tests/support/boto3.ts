import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { installPythonPackage } from './python-package.ts';

const run = promisify(execFile);

export interface Boto3 {
  /** Runs a program that may import boto3; what it prints. */
  run(program: string, environment: Record<string, string>): Promise<string>;
}

/** boto3 from PyPI; a reason where it cannot be had. */
export async function installBoto3(): Promise<Boto3 | { readonly reason: string }> {
  const installed = await installPythonPackage('boto3==1.43.11');
  if ('reason' in installed) return installed;
  const { python, folder } = installed;
  return {
    run: async (program, environment) => {
      const { stdout } = await run(python, ['-c', program], {
        env: { PATH: process.env['PATH'] ?? '', PYTHONPATH: folder, ...environment },
      });
      return stdout;
    },
  };
}
