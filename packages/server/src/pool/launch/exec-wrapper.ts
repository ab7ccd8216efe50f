import type { FunctionVersion } from '../../domain/function.ts';
import { MANAGED_RUNTIMES } from '../../domain/runtimes.ts';
import type { GuestCommand, GuestPaths } from '../../sandbox/sandbox.ts';

const VARIABLE = 'AWS_LAMBDA_EXEC_WRAPPER';

/** Tells one of Hearth's bootstraps that its process's environment is the function's, as the wrapper has left it. */
const KEEP_ENVIRONMENT = { _HEARTH_KEEP_ENVIRONMENT: '1' };

/**
 * The program that a version wants to be started instead of its runtime, in guest paths; undefined
 * where it wants none, and for `provided.*`, whose own program AWS starts whatever the variable says.
 */
export function execWrapper(version: FunctionVersion, paths: GuestPaths): string | undefined {
  const wrapper = version.environment[VARIABLE] ?? '';
  if (wrapper === '' || MANAGED_RUNTIMES.get(version.runtime)?.family === 'provided') {
    return undefined;
  }
  // Where nothing is mounted the folders are at other places than the function knows.
  for (const [guest, path] of [
    ['/opt/', paths.opt],
    ['/var/task/', paths.task],
  ] as const) {
    if (wrapper.startsWith(guest)) return `${path}/${wrapper.slice(guest.length)}`;
  }
  return wrapper;
}

/**
 * The command that starts a version's runtime, through its wrapper if it has one: that gets the
 * interpreter and its arguments as its own, and may set variables before it starts them.
 */
export function wrapCommand(
  command: GuestCommand,
  version: FunctionVersion,
  paths: GuestPaths,
): GuestCommand {
  const wrapper = execWrapper(version, paths);
  if (wrapper === undefined) return command;
  const isOwnBootstrap = MANAGED_RUNTIMES.get(version.runtime)?.protocol === 'framed';
  return {
    ...command,
    argv: [wrapper, ...command.argv],
    environment: { ...command.environment, ...(isOwnBootstrap && KEEP_ENVIRONMENT) },
  };
}
