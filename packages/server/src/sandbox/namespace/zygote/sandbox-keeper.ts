import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { GuestCommand } from '../../sandbox.ts';
import { firstProcessStarted, type programStarted } from '../launch-bwrap.ts';
import { findProgram } from '../sandbox-programs.ts';

/** A program that does nothing but keep a sandbox's namespaces for guests that are forked into them. */
export interface SandboxKeeper {
  readonly command: GuestCommand;
  /** Of bubblewrap, in front of all others. */
  readonly options: readonly string[];
  /** Undefined: as for any other program. */
  readonly hasStarted: typeof programStarted | undefined;
}

const PROGRAM = 'sleep';

/**
 * Where the system has what it takes, the keeper is the first process itself: nothing in the sandbox
 * can end it, and one process less takes memory. It ignores the deaths of orphans, so that the kernel
 * forgets them. Elsewhere bubblewrap waits for orphans, and a function that kills all that it can
 * kills the keeper, and with it itself.
 */
export async function findSandboxKeeper(): Promise<SandboxKeeper> {
  const sleep = [findProgram(PROGRAM, 'coreutils'), 'infinity'] as const;
  const env = findProgram('env', 'coreutils');
  const ignoring = '--ignore-signal=CHLD';
  const rest = { environment: {}, cwd: '/', descriptors: 'standard' } as const;
  try {
    await promisify(execFile)(env, [ignoring, 'true']);
  } catch {
    // GNU coreutils before 8.31, or others.
    return { command: { argv: [...sleep], ...rest }, options: [], hasStarted: undefined };
  }
  return {
    command: { argv: [env, ignoring, ...sleep], ...rest },
    options: ['--as-pid-1'],
    hasStarted: (pid, _seen, ended, signal) => firstProcessStarted(pid, PROGRAM, ended, signal),
  };
}
