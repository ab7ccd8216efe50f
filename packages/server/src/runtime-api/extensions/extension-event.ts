import { ExtensionApiError } from './extension-api-error.ts';

/** What an extension can subscribe to. Internal ones get INVOKE only. */
export type ExtensionEventType = 'INVOKE' | 'SHUTDOWN';

/** Why an environment shuts down; lower case, as the emulator sends it (AWS's documents print capitals). */
export type ShutdownReason = 'spindown' | 'timeout' | 'failure';

/** What the pool tells extensions of an invocation: the payload is the runtime's alone. */
export interface ExtensionInvoke {
  readonly requestId: string;
  /** Milliseconds since the epoch. */
  readonly deadlineMs: number;
  readonly invokedFunctionArn: string;
  /** Value of the trace header; absent where the invocation is not traced. */
  readonly traceId?: string | undefined;
}

/** An event as it stands in the answer to `GET /extension/event/next`. */
export type ExtensionEvent =
  | {
      readonly eventType: 'INVOKE';
      readonly deadlineMs: number;
      readonly requestId: string;
      readonly invokedFunctionArn: string;
      readonly tracing?: { readonly type: 'X-Amzn-Trace-Id'; readonly value: string };
    }
  | {
      readonly eventType: 'SHUTDOWN';
      readonly deadlineMs: number;
      readonly shutdownReason: ShutdownReason;
    };

export function invokeEvent(invoke: ExtensionInvoke): ExtensionEvent {
  return {
    eventType: 'INVOKE',
    deadlineMs: Math.floor(invoke.deadlineMs),
    requestId: invoke.requestId,
    invokedFunctionArn: invoke.invokedFunctionArn,
    ...(invoke.traceId !== undefined && {
      tracing: { type: 'X-Amzn-Trace-Id', value: invoke.traceId },
    }),
  };
}

export function shutdownEvent(reason: ShutdownReason, deadlineMs: number): ExtensionEvent {
  return {
    eventType: 'SHUTDOWN',
    deadlineMs: Math.floor(deadlineMs),
    shutdownReason: reason,
  };
}

/** The events that one kind of extension may subscribe to. Throws an ExtensionApiError on another. */
export function checkedEvents(events: readonly string[], external: boolean): ExtensionEventType[] {
  return events.map((event) => {
    if (event === 'INVOKE' || (event === 'SHUTDOWN' && external)) return event;
    const reason =
      event === 'SHUTDOWN'
        ? 'ShutdownEventNotSupportedForInternalExtension'
        : 'ErrorInvalidEventType';
    throw new ExtensionApiError('Extension.InvalidEventType', `${event}: ${reason}`);
  });
}
