import { randomUUID } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Clock } from '../clock/clock.ts';
import type { FunctionRegistry } from '../domain/function-registry.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { Invocation, Outcome } from '../domain/invocation.ts';
import { MAX_REQUEST_BYTES } from '../domain/limits.ts';
import { ServiceError } from '../domain/service-error.ts';
import type { Invoker } from '../invoke/invoker.ts';
import { LAMBDA_MODEL } from './model/api-model.ts';
import {
  existingVersion,
  resolveTarget,
  targetArn,
  wrongState,
  type FunctionTarget,
} from './operations/function-target.ts';
import { callerOf, type Caller } from './protocol/caller.ts';
import { checkConstraints } from './protocol/constraints.ts';
import { sendError, type FaultListener } from './protocol/error-response.ts';
import { jsonFault } from './protocol/json-fault.ts';
import { readBody } from './protocol/read-body.ts';
import { TraceHeaders } from './trace-header.ts';

export interface InvokeEndpointOptions {
  readonly registry: FunctionRegistry;
  readonly invoker: Invoker;
  readonly clock: Clock;
  /** Account and region of requests that do not say. */
  readonly defaults: Caller;
  readonly onFault: FaultListener;
}

const PATH_START = '/2015-03-31/functions/';
const PATH_END = '/invocations';
/** Base64 of the client context, as the API reference limits it. */
const MAX_CLIENT_CONTEXT_BYTES = 3_583;
const EMPTY_EVENT = Buffer.from('{}');
/** What may be in a header: a function chooses its content type. */
const CONTENT_TYPE = /^[\x20-\x7e]{1,256}$/;

interface InvokeRequest {
  readonly target: FunctionTarget;
  readonly invocationType: string;
  readonly wantsLogTail: boolean;
  readonly clientContext?: string;
}

/**
 * Invoke, apart from the other operations because it is called far more often: the path is taken
 * apart by hand, the constraints of the model are only consulted where a request is not plain, the
 * payload is checked but not parsed, and the result goes out as it came.
 */
export class InvokeEndpoint {
  readonly #options: InvokeEndpointOptions;
  readonly #traceHeaders: TraceHeaders;

  constructor(options: InvokeEndpointOptions) {
    this.#options = options;
    this.#traceHeaders = new TraceHeaders(options.clock);
  }

  /** Serves the request if it is an Invoke; false where it is not. */
  tryServe(request: IncomingMessage, response: ServerResponse): boolean {
    const url = request.url ?? '';
    if (request.method !== 'POST' || !url.startsWith(PATH_START)) return false;
    const nameEnd = url.indexOf('/', PATH_START.length);
    if (nameEnd === -1 || !url.startsWith(PATH_END, nameEnd)) return false;
    const rest = url.slice(nameEnd + PATH_END.length);
    if (rest !== '' && rest !== '/' && !rest.startsWith('?') && !rest.startsWith('/?'))
      return false;
    const requestId = randomUUID();
    const name = url.slice(PATH_START.length, nameEnd);
    const arrival = { requestId, arrivedMs: this.#options.clock.monotonicMs() };
    this.#serve(request, response, name, rest, arrival).catch((error: unknown) =>
      sendError(response, error, requestId, this.#options.onFault),
    );
    return true;
  }

  async #serve(
    request: IncomingMessage,
    response: ServerResponse,
    name: string,
    rest: string,
    arrival: Arrival,
  ): Promise<void> {
    const { requestId } = arrival;
    // Read in any case: a request that is refused must not stand in the way of the next one.
    const body = await readBody(request, MAX_REQUEST_BYTES, 'InvokeFunction');
    const caller = callerOf(request.headers, rest, this.#options.defaults);
    const invoke = readRequest(request, name, rest, caller);
    const version = existingVersion(this.#options.registry, invoke.target);
    if (version.state !== 'Active') throw wrongState(version);
    const fault = body.length === 0 ? undefined : jsonFault(body);
    if (fault !== undefined) {
      throw new ServiceError(
        'InvalidRequestContentException',
        `Could not parse request body into json: Could not parse payload into json: ${fault}`,
      );
    }
    if (invoke.invocationType === 'DryRun') {
      response.writeHead(204, { 'x-amzn-RequestId': requestId }).end();
      return;
    }
    const traceId = this.#traceHeaders.next(
      oneHeader(request, 'x-amzn-trace-id'),
      version.tracingMode,
    );
    const outcome = await this.#invoke(version, invoke, arrival, traceId, body);
    sendOutcome(response, outcome, requestId, traceId);
  }

  #invoke(
    version: FunctionVersion,
    { target, clientContext, wantsLogTail }: InvokeRequest,
    arrival: Arrival,
    traceId: string,
    body: Buffer,
  ): Promise<Outcome> {
    return this.#options.invoker.invoke(version, {
      ...arrival,
      payload: body.length === 0 ? EMPTY_EVENT : body,
      invokedFunctionArn: targetArn(target),
      traceId,
      wantsLogTail,
      ...(clientContext !== undefined && { clientContext }),
    });
  }
}

/** What is known of a request before it is read. */
type Arrival = Required<Pick<Invocation, 'requestId' | 'arrivedMs'>>;

function readRequest(
  request: IncomingMessage,
  rawName: string,
  rest: string,
  caller: Caller,
): InvokeRequest {
  const query = rest.includes('?')
    ? new URLSearchParams(rest.slice(rest.indexOf('?') + 1))
    : undefined;
  const qualifier = query?.get('Qualifier') ?? undefined;
  const name = rawName.includes('%') ? decode(rawName) : rawName;
  const invocationType = oneHeader(request, 'x-amz-invocation-type') ?? 'RequestResponse';
  const logType = oneHeader(request, 'x-amz-log-type') ?? 'None';
  const isPlain =
    qualifier === undefined &&
    invocationType === 'RequestResponse' &&
    (logType === 'None' || logType === 'Tail') &&
    /^[a-zA-Z0-9-_]{1,64}$/.test(name);
  if (!isPlain) {
    checkConstraints(LAMBDA_MODEL, 'InvocationRequest', {
      FunctionName: name,
      InvocationType: invocationType,
      LogType: logType,
      ...(qualifier !== undefined && qualifier !== '' && { Qualifier: qualifier }),
    });
  }
  const target = resolveTarget('Invoke', caller, name, qualifier);
  refuseUnbuilt(request, invocationType);
  const clientContext = oneHeader(request, 'x-amz-client-context');
  return {
    target,
    invocationType,
    wantsLogTail: logType === 'Tail',
    ...(clientContext !== undefined && { clientContext: decodeClientContext(clientContext) }),
  };
}

function refuseUnbuilt(request: IncomingMessage, invocationType: string): void {
  if (invocationType === 'Event') {
    throw new ServiceError(
      'NotImplementedException',
      'Cannot invoke with InvocationType Event as asynchronous invocation is not built yet: use RequestResponse',
    );
  }
  for (const header of ['x-amz-tenant-id', 'x-amz-durable-execution-name']) {
    if (request.headers[header] === undefined) continue;
    throw new ServiceError(
      'InvalidParameterValueException',
      `Cannot invoke with the header ${header} as this server does not support it yet: leave it out`,
    );
  }
}

/** The JSON text of a client context. */
function decodeClientContext(header: string): string {
  if (header.length > MAX_CLIENT_CONTEXT_BYTES) {
    throw new ServiceError(
      'InvalidRequestContentException',
      `Client context must be at most ${MAX_CLIENT_CONTEXT_BYTES} bytes in base64: received ${header.length}`,
    );
  }
  const decoded = Buffer.from(header, 'base64');
  if (jsonFault(decoded) !== undefined || !/^\s*\{/.test(decoded.toString())) {
    throw new ServiceError(
      'InvalidRequestContentException',
      'Client context must be a valid Base64-encoded JSON object.',
    );
  }
  return decoded.toString();
}

function sendOutcome(
  response: ServerResponse,
  outcome: Outcome,
  requestId: string,
  traceId: string,
): void {
  const headers = [
    'Content-Type',
    CONTENT_TYPE.test(outcome.contentType) ? outcome.contentType : 'application/json',
    'Content-Length',
    String(outcome.payload.length),
    'x-amzn-RequestId',
    requestId,
    'X-Amzn-Trace-Id',
    traceId,
    'x-amzn-Remapped-Content-Length',
    '0',
    'X-Amz-Executed-Version',
    outcome.executedVersion,
  ];
  if (outcome.kind === 'function-error') headers.push('X-Amz-Function-Error', 'Unhandled');
  if (outcome.logTail !== undefined) {
    headers.push('X-Amz-Log-Result', Buffer.from(outcome.logTail).toString('base64'));
  }
  response.writeHead(200, headers);
  response.end(outcome.payload);
}

function oneHeader(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

function decode(name: string): string {
  try {
    return decodeURIComponent(name);
  } catch (cause) {
    const message = `Cannot read the path as its percent-encoding must be valid: received ${name.slice(0, 256)}`;
    throw new ServiceError('ValidationException', message, { cause });
  }
}
