import { execFile } from 'node:child_process';

export interface ProgramOptions {
  /** The whole environment; nothing is inherited. */
  readonly environment: NodeJS.ProcessEnv;
  readonly workingDirectory?: string;
  /** The program is killed after it; none by default. */
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
}

/** How a program ended. */
export interface ProgramResult {
  /** Undefined where it was ended by a signal or the timeout. */
  readonly exitCode: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Longest output that is kept; a program that writes more is killed. */
const MAX_OUTPUT_BYTES = 4 * 1024 * 1024;

/**
 * Runs a program to its end, never through a shell. Rejects where it cannot be started (the error
 * has the system's `code`, such as ENOENT) or is aborted.
 */
export function runProgram(
  program: string,
  programArguments: readonly string[],
  options: ProgramOptions,
): Promise<ProgramResult> {
  return new Promise((resolve, reject) => {
    const child = execFile(
      program,
      [...programArguments],
      {
        env: options.environment,
        cwd: options.workingDirectory,
        timeout: options.timeoutMs ?? 0,
        killSignal: options.signal === undefined ? 'SIGKILL' : 'SIGTERM',
        maxBuffer: MAX_OUTPUT_BYTES,
        encoding: 'utf8',
        shell: false,
        ...(options.signal === undefined ? {} : { signal: options.signal }),
      },
      (error, stdout, stderr) => {
        if (error === null) resolve({ exitCode: 0, stdout, stderr });
        else if (typeof error.code === 'number') resolve({ exitCode: error.code, stdout, stderr });
        else if (error.killed === true && error.name !== 'AbortError') {
          resolve({ exitCode: undefined, stdout, stderr });
        } else if (error.signal) resolve({ exitCode: undefined, stdout, stderr });
        else reject(error);
      },
    );
    child.stdin?.end();
  });
}
