import type { ExtensionState } from './extension-state.ts';

/** How an extension broke its environment. */
export interface ExtensionFailure {
  /** Name of the extension. */
  readonly name: string;
  /** What the invoker and REPORT get to see. */
  readonly errorType:
    | 'Extension.InitError'
    | 'Extension.ExitError'
    | 'Extension.Crash'
    | 'Extension.LaunchError';
  /**
   * For the invoker's `errorMessage`, after `RequestId: <id> Error: `: `exit code 0`,
   * `exit status 1`, `signal: killed`, or why it could not be launched.
   */
  readonly message: string;
  /** The type that the extension itself reported, such as `Fatal.ConnectFailed`; untrusted. */
  readonly reportedErrorType?: string;
}

/** How an extension's process ended; exactly one of the two is set. */
export interface ExtensionExit {
  readonly code: number | undefined;
  /** Name without the prefix: `killed`, `terminated` … */
  readonly signal: string | undefined;
}

/** Why an extension could not be launched, as the EXTENSION line names it. */
export type LaunchErrorType = 'PermissionDenied' | 'TooManyExtensions' | 'UnknownError';

/** AWS's words for an extension that ended although nobody had asked it to. */
export function exitMessage(exit: ExtensionExit): string {
  if (exit.signal !== undefined) return `signal: ${exit.signal}`;
  return exit.code === 0 ? 'exit code 0' : `exit status ${exit.code}`;
}

/**
 * The launch error that an exit stands for, by the statuses with which whoever was to execute a
 * program says that it could not: 126 and 127. Undefined where the program did run.
 */
export function launchErrorOf(
  name: string,
  exit: ExtensionExit,
): { readonly errorType: LaunchErrorType; readonly message: string } | undefined {
  const program = `fork/exec /opt/extensions/${name}`;
  if (exit.code === 126) {
    return { errorType: 'PermissionDenied', message: `${program}: permission denied` };
  }
  if (exit.code === 127) {
    return { errorType: 'UnknownError', message: `${program}: no such file or directory` };
  }
  return undefined;
}

/** The failure that an extension in this state stands for. */
export function failureOf(name: string, state: ExtensionState, message: string): ExtensionFailure {
  switch (state.kind) {
    case 'init-error':
      return {
        name,
        errorType: 'Extension.InitError',
        message,
        reportedErrorType: state.errorType,
      };
    case 'exit-error':
      return {
        name,
        errorType: 'Extension.ExitError',
        message,
        reportedErrorType: state.errorType,
      };
    case 'launch-error':
      return { name, errorType: 'Extension.LaunchError', message };
    default:
      return { name, errorType: 'Extension.Crash', message };
  }
}
