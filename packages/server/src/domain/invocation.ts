/** One event on its way to a function. */
export interface Invocation {
  /** UUID; the same on every attempt of an asynchronous event. */
  readonly requestId: string;
  /** The event as JSON text; opaque to the server. */
  readonly payload: Uint8Array;
  /** ARN as the caller named the function, qualifier included. */
  readonly invokedFunctionArn: string;
  /** JSON text, already decoded from base64. */
  readonly clientContext?: string;
  /** JSON text with `cognitoIdentityId` and `cognitoIdentityPoolId`. */
  readonly cognitoIdentity?: string;
  /** Value for `_X_AMZN_TRACE_ID`. */
  readonly traceId?: string;
  /** Collect the last 4 KB of this invocation's log in the outcome. */
  readonly wantsLogTail?: boolean;
  /** When it reached the server, on the clock's monotonic scale; left out where that is now. */
  readonly arrivedMs?: number;
}

/** What became of an invocation. A failure of the function is a value, not an exception. */
export interface Outcome {
  readonly kind: 'success' | 'function-error';
  /** The function's result or its error, as JSON text. */
  readonly payload: Uint8Array;
  /** Content type that the runtime gave; `application/json` unless it said otherwise. */
  readonly contentType: string;
  /** `Sandbox.Timedout`, `Runtime.ExitError`, the runtime's own error type …; for logs and metrics. */
  readonly errorType?: string;
  readonly executedVersion: string;
  /** The last 4 KB of the log, END and REPORT included; only where the invocation asked for it. */
  readonly logTail?: Uint8Array;
}
