import { cleanErrorType } from './framed/header-fields.ts';

const PLATFORM_ERROR_TYPE = /(?:Runtime|Function)\.[A-Z][a-zA-Z]+/;

/**
 * The type under which an error that a runtime tells of stands in log lines and telemetry: what it
 * gave where that is one of `Runtime.…` or `Function.…`, otherwise `Function.Unknown` or
 * `Runtime.Unknown`, as AWS does. The caller gets the runtime's own words in the payload.
 */
export function reportedErrorType(given: string | undefined): string {
  if (given === undefined) return 'Runtime.Unknown';
  if (PLATFORM_ERROR_TYPE.test(given)) return cleanErrorType(given);
  return given.startsWith('Function.') ? 'Function.Unknown' : 'Runtime.Unknown';
}
