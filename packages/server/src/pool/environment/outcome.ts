import type { Outcome } from '../../domain/invocation.ts';
import type { FailureStatus } from '../../logs/platform-lines.ts';
import { reportedErrorType } from '../../runtime-api/reported-error-type.ts';
import type { GuestExit } from '../../sandbox/sandbox.ts';
import type { ResetReason } from './environment-state.ts';
import type { LifeEnd } from './guest-life.ts';

/** What the caller gets and what the log's last line says. */
export interface Verdict {
  readonly kind: 'success' | 'function-error';
  readonly payload: Uint8Array;
  readonly contentType: string;
  readonly errorType?: string;
  /** Only where the process was lost or is about to be: an error that a handler threw has none. */
  readonly failure?: FailureStatus;
}

const JSON_TYPE = 'application/json';

/** Turns the end of an event into what AWS Lambda answers and reports for it. */
export function verdictOf(end: LifeEnd, requestId: string, timeoutSeconds: number): Verdict {
  switch (end.kind) {
    case 'response':
      return { kind: 'success', payload: end.payload, contentType: end.contentType };
    case 'error':
      return {
        kind: 'function-error',
        payload: end.payload,
        contentType: JSON_TYPE,
        errorType: end.errorType,
        ...(end.fatal === true && {
          failure: { status: 'error' as const, errorType: 'Runtime.ExitError' },
        }),
      };
    case 'timeout':
      return platformError(requestId, 'Sandbox.Timedout', timedOutText(timeoutSeconds), {
        status: 'timeout',
      });
    case 'exited':
      return platformError(requestId, 'Runtime.ExitError', exitText(end.exit), {
        status: 'error',
        errorType: exitErrorType(end.exit),
      });
    case 'extension-failed':
      return platformError(requestId, end.failure.errorType, end.failure.message, failureOf(end));
    case 'launch-failed':
      return platformError(requestId, end.errorType, end.message, failureOf(end));
    default:
      throw new Error('An event cannot end with the answer to init');
  }
}

export function outcomeOf(
  verdict: Verdict,
  executedVersion: string,
  logTail: Uint8Array | undefined,
): Outcome {
  const { kind, payload, contentType, errorType } = verdict;
  return {
    kind,
    payload,
    contentType,
    executedVersion,
    ...(errorType !== undefined && { errorType }),
    ...(logTail !== undefined && { logTail }),
  };
}

/** Status of an init, or of what follows an answer, that did not end with `ready`. */
export function failureOf(end: LifeEnd): FailureStatus {
  switch (end.kind) {
    case 'timeout':
      return { status: 'timeout' };
    case 'exited':
      return { status: 'error', errorType: exitErrorType(end.exit) };
    case 'extension-failed':
      return { status: 'error', errorType: end.failure.errorType };
    case 'error':
      return { status: 'error', errorType: reportedErrorType(end.errorType) };
    case 'launch-failed':
      return { status: 'error', errorType: end.errorType };
    default:
      return { status: 'error', errorType: 'Runtime.Unknown' };
  }
}

export function resetReasonOf(end: LifeEnd): ResetReason {
  switch (end.kind) {
    case 'timeout':
      return 'timeout';
    case 'extension-failed':
      return 'extension-failure';
    default:
      return 'exit';
  }
}

/** The newer of the two recorded styles: with an errorType, and the request id inside the message. */
function platformError(
  requestId: string,
  errorType: string,
  text: string,
  failure: FailureStatus,
): Verdict {
  const body = { errorType, errorMessage: `RequestId: ${requestId} Error: ${text}` };
  return {
    kind: 'function-error',
    payload: Buffer.from(JSON.stringify(body)),
    contentType: JSON_TYPE,
    errorType,
    failure,
  };
}

/** Always two decimals: `Task timed out after 3.00 seconds`. */
function timedOutText(timeoutSeconds: number): string {
  return `Task timed out after ${timeoutSeconds.toFixed(2)} seconds`;
}

function exitText(exit: GuestExit): string {
  if (exit.signal !== undefined) return `Runtime exited with error: signal: ${exit.signal}`;
  if (exit.code === 0) return 'Runtime exited without providing a reason';
  return `Runtime exited with error: exit status ${exit.code}`;
}

function exitErrorType(exit: GuestExit): string {
  return exit.outOfMemory ? 'Runtime.OutOfMemory' : 'Runtime.ExitError';
}
