import type { InitHeader, InvokeHeader } from './protocol.ts';

/** The context object of a handler, without what only runtimes with callbacks have. */
export interface InvocationContext {
  readonly functionVersion: string;
  readonly functionName: string;
  readonly memoryLimitInMB: string;
  readonly logGroupName: string;
  readonly logStreamName: string;
  readonly clientContext: unknown;
  readonly identity: unknown;
  readonly invokedFunctionArn: string;
  readonly awsRequestId: string;
  readonly tenantId: undefined;
  /** May be negative. */
  getRemainingTimeInMillis(): number;
}

/** Throws where client context or identity are not JSON. */
export function buildContext(init: InitHeader, invoke: InvokeHeader): InvocationContext {
  const { deadlineMs } = invoke;
  return {
    functionVersion: init.functionVersion,
    functionName: init.functionName,
    memoryLimitInMB: init.memoryLimitInMB,
    logGroupName: init.logGroupName,
    logStreamName: init.logStreamName,
    clientContext: parse(invoke.clientContext, 'ClientContext'),
    identity: parse(invoke.cognitoIdentity, 'CognitoIdentity'),
    invokedFunctionArn: invoke.invokedFunctionArn,
    awsRequestId: invoke.requestId,
    tenantId: undefined,
    getRemainingTimeInMillis: () => deadlineMs - Date.now(),
  };
}

function parse(json: string | undefined, name: string): unknown {
  if (json === undefined) return undefined;
  try {
    return JSON.parse(json);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${String(error)}`, { cause: error });
  }
}
