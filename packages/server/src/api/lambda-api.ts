import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { ServiceError } from '../domain/service-error.ts';
import type { Invoker } from '../invoke/invoker.ts';
import { InvokeEndpoint } from './invoke-endpoint.ts';
import { LAMBDA_MODEL } from './model/api-model.ts';
import type { OperationServices } from './operations/operation.ts';
import { OPERATION_HANDLERS } from './operations/operation-handlers.ts';
import { callerOf, type Caller } from './protocol/caller.ts';
import { checkConstraints } from './protocol/constraints.ts';
import { sendError, type FaultListener } from './protocol/error-response.ts';
import { sendOutput } from './protocol/operation-output.ts';
import { OperationRouter } from './protocol/operation-router.ts';
import { readBody } from './protocol/read-body.ts';
import { readInput } from './protocol/request-input.ts';

export interface LambdaApiOptions extends OperationServices {
  readonly invoker: Invoker;
  /** Account and region of requests that do not say. */
  readonly defaults: Caller;
  readonly onFault: FaultListener;
}

export type LambdaApi = (
  request: IncomingMessage,
  response: ServerResponse,
  isFromFunction: boolean,
) => void;

/** 50 MB of archive in base64, and the settings around it. */
const MAX_CODE_REQUEST_BYTES = 70_167_211;
const MAX_OTHER_REQUEST_BYTES = 6_291_456;
const WITH_CODE: ReadonlySet<string> = new Set([
  'CreateFunction',
  'UpdateFunctionCode',
  'PublishLayerVersion',
]);

/** Makes the handler of the Lambda API: every request that it gets is answered. */
export function createLambdaApi(options: LambdaApiOptions): LambdaApi {
  const router = new OperationRouter(LAMBDA_MODEL);
  const invokeEndpoint = new InvokeEndpoint(options);
  return (request, response, isFromFunction) => {
    if (invokeEndpoint.tryServe(request, response)) return;
    const requestId = randomUUID();
    const origin = { requestId, isFromFunction };
    serveOperation(router, options, request, response, origin).catch((error: unknown) =>
      sendError(response, error, requestId, options.onFault),
    );
  };
}

async function serveOperation(
  router: OperationRouter,
  options: LambdaApiOptions,
  request: IncomingMessage,
  response: ServerResponse,
  { requestId, isFromFunction }: { readonly requestId: string; readonly isFromFunction: boolean },
): Promise<void> {
  const { method = '', url = '/', headers } = request;
  const match = router.match(method, url);
  const operation = match?.operation ?? 'requested';
  const maxBytes = WITH_CODE.has(operation) ? MAX_CODE_REQUEST_BYTES : MAX_OTHER_REQUEST_BYTES;
  // Read in any case: a request that is refused must not stand in the way of the next one.
  const body = await readBody(request, maxBytes, operation);
  if (match === undefined) {
    const path = url.slice(0, 256).replace(/\?.*$/, '');
    throw new ServiceError('UnknownOperationException', `There is no operation ${method} ${path}`);
  }
  const handler = OPERATION_HANDLERS[operation];
  if (handler === undefined) {
    throw new ServiceError('NotImplementedException', `Operation ${operation} is not built yet`);
  }
  const input = readInput(LAMBDA_MODEL, match, headers, body);
  const inputShape = LAMBDA_MODEL.operations[operation]?.input;
  if (inputShape !== undefined) checkConstraints(LAMBDA_MODEL, inputShape, input);
  const output = await handler(input, {
    ...options,
    operation,
    caller: callerOf(headers, url, options.defaults),
    defaultAccountId: options.defaults.accountId,
    endpoint: endpointOf(request),
    isFromFunction,
  });
  sendOutput(response, LAMBDA_MODEL, operation, output, requestId);
}

/** The server as the caller knows it. */
function endpointOf({ headers, socket }: IncomingMessage): string {
  const scheme = 'encrypted' in socket && socket.encrypted === true ? 'https' : 'http';
  return `${scheme}://${headers.host ?? 'localhost'}`;
}
