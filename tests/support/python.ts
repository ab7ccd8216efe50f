import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** A Python 3.9 or newer on PATH; undefined where there is none. */
export async function findPython(): Promise<string | undefined> {
  try {
    const { stdout } = await run('python3', [
      '-c',
      'import sys; print(sys.executable if sys.version_info >= (3, 9) else "")',
    ]);
    return stdout.trim() || undefined;
  } catch {
    return undefined;
  }
}
