import type { IncomingMessage, ServerResponse } from 'node:http';
import { MAX_RESPONSE_BYTES } from '../../domain/limits.ts';
import { cleanContentType } from '../framed/header-fields.ts';
import { responseTooLarge } from '../response-too-large.ts';
import type { RuntimeResult } from '../runtime-session.ts';
import {
  discardBody,
  readBoundedBody,
  requestHeader,
  requestPath,
  sendApiError,
  sendBytes,
  sendJson,
  type ApiRoutes,
} from './api-route.ts';
import { errorWithoutCause, platformErrorType } from './error-type.ts';
import type { CallRefusal, EventPoll, HttpRuntimeSession } from './http-runtime-session.ts';
import { invocationHeaders } from './invocation-headers.ts';
import { recogniseCall } from './runtime-call.ts';
import { refusedMoveText } from './runtime-state.ts';

const RESPONSE_MODE = 'lambda-runtime-function-response-mode';
const INVOCATION_ID = 'lambda-runtime-invocation-id';
/** A header of an error, a trailer of a streamed response. */
const ERROR_TYPE = 'lambda-runtime-function-error-type';
const ERROR_BODY_TRAILER = 'lambda-runtime-function-error-body';
const ERROR_WITH_CAUSE = 'application/vnd.aws.lambda.error.cause+json';

/** AWS's Runtime API, version 2018-06-01, for one session. SnapStart's restore calls are not there. */
export class RuntimeRoutes implements ApiRoutes {
  readonly #session: HttpRuntimeSession;

  constructor(session: HttpRuntimeSession) {
    this.#session = session;
  }

  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const call = recogniseCall(request.method, requestPath(request));
    switch (call?.kind) {
      case undefined:
        return false;
      case 'next':
        this.#next(request, response);
        return true;
      case 'response':
        this.#response(request, response, call.requestId);
        return true;
      case 'error':
        this.#error(request, response, call.requestId);
        return true;
      case 'init-error':
        this.#initError(request, response);
        return true;
      case 'ping':
        sendPong(request, response);
        return true;
      default:
        sendWrongMethod(request, response);
        return true;
    }
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    discardBody(request);
    let delivered: string | undefined;
    const poll: EventPoll = {
      deliver: (event, invocationId) => {
        delivered = invocationId;
        response.writeHead(200, invocationHeaders(event, invocationId));
        response.end(event.payload);
      },
    };
    response.on('close', () => {
      this.#session.removePoll(poll);
      if (delivered !== undefined && !response.writableFinished) {
        this.#session.undelivered(delivered);
      }
    });
    const refusal = this.#session.addPoll(poll);
    if (refusal !== undefined) sendRefusal(response, refusal);
  }

  #response(request: IncomingMessage, response: ServerResponse, requestId: string): void {
    const refusal = this.#session.beginAnswer(
      'response',
      requestId,
      requestHeader(request, INVOCATION_ID),
    );
    if (refusal !== undefined) {
      discardBody(request);
      sendRefusal(response, refusal);
      return;
    }
    const mode = requestHeader(request, RESPONSE_MODE);
    if (mode !== undefined && mode !== 'streaming') {
      discardBody(request);
      this.#session.endAnswer(
        platformError(requestId, 'Runtime.InvalidResponseModeHeader', 'Invalid response mode'),
      );
      sendApiError(response, 400, 'InvalidFunctionResponseMode', 'Invalid function response mode');
      return;
    }
    this.#readAnswer(request, response, requestId, (payload) => {
      const streamError = mode === 'streaming' ? trailedError(request) : undefined;
      if (streamError !== undefined) return streamError;
      const contentType = cleanContentType(requestHeader(request, 'content-type'));
      return { kind: 'response', payload, contentType };
    });
  }

  #error(request: IncomingMessage, response: ServerResponse, requestId: string): void {
    const refusal = this.#session.beginAnswer(
      'error',
      requestId,
      requestHeader(request, INVOCATION_ID),
    );
    if (refusal !== undefined) {
      discardBody(request);
      sendRefusal(response, refusal);
      return;
    }
    this.#readAnswer(request, response, requestId, (payload) => errorResult(request, payload));
  }

  /** The runtime is told after the session, which has then made up its mind. */
  #readAnswer(
    request: IncomingMessage,
    response: ServerResponse,
    requestId: string,
    resultOf: (payload: Buffer) => RuntimeResult,
  ): void {
    void readBoundedBody(request, MAX_RESPONSE_BYTES).then((body) => {
      if (body.kind === 'whole') {
        this.#session.endAnswer(resultOf(body.bytes));
        sendAccepted(response);
      } else if (body.kind === 'too-large') {
        this.#session.endAnswer(responseTooLarge());
        sendTooLarge(response);
      } else {
        this.#session.endAnswer(truncatedResult(requestId));
      }
    });
  }

  #initError(request: IncomingMessage, response: ServerResponse): void {
    const refusal = this.#session.beginInitError();
    if (refusal !== undefined) {
      discardBody(request);
      sendRefusal(response, refusal);
      return;
    }
    void readBoundedBody(request, MAX_RESPONSE_BYTES).then((body) => {
      if (body.kind === 'whole') {
        this.#session.endInitError({
          kind: 'error',
          errorType: platformErrorType(requestHeader(request, ERROR_TYPE), body.bytes),
          payload: body.bytes,
        });
        sendAccepted(response);
      } else if (body.kind === 'too-large') {
        this.#session.endInitError(responseTooLarge());
        sendTooLarge(response);
      } else {
        this.#session.endInitError(
          platformError(undefined, 'Runtime.Unknown', 'The report of the init error was truncated'),
        );
      }
    });
  }
}

/**
 * The Runtime API where the runtime talks to the server by other means: whoever calls is the
 * function's own code, and gets nothing.
 */
export class ClosedRuntimeRoutes implements ApiRoutes {
  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const call = recogniseCall(request.method, requestPath(request));
    if (call === undefined) return false;
    if (call.kind === 'wrong-method') {
      sendWrongMethod(request, response);
      return true;
    }
    if (call.kind === 'ping') {
      sendPong(request, response);
      return true;
    }
    discardBody(request);
    sendApiError(response, 403, 'InvalidStateTransition', refusedMoveText('Running', call.kind));
    return true;
  }
}

function errorResult(request: IncomingMessage, payload: Buffer): RuntimeResult {
  return {
    kind: 'error',
    errorType: platformErrorType(requestHeader(request, ERROR_TYPE), payload),
    payload:
      requestHeader(request, 'content-type') === ERROR_WITH_CAUSE
        ? errorWithoutCause(payload)
        : payload,
  };
}

/** The error that a streamed response ended with, if it did. */
function trailedError(request: IncomingMessage): RuntimeResult | undefined {
  const { [ERROR_TYPE]: type, [ERROR_BODY_TRAILER]: encoded } = request.trailers;
  if (!type && !encoded) return undefined;
  const payload = Buffer.from(encoded ?? '', 'base64');
  return { kind: 'error', errorType: platformErrorType(type, payload), payload };
}

/** How AWS words what the caller gets is unverified. */
function truncatedResult(requestId: string): RuntimeResult {
  return platformError(requestId, 'Runtime.TruncatedResponse', 'The response was truncated');
}

function platformError(
  requestId: string | undefined,
  errorType: string,
  text: string,
): RuntimeResult {
  const errorMessage = requestId === undefined ? text : `RequestId: ${requestId} Error: ${text}`;
  const payload = Buffer.from(JSON.stringify({ errorType, errorMessage }));
  return { kind: 'error', errorType, payload };
}

function sendRefusal(response: ServerResponse, refusal: CallRefusal): void {
  sendApiError(response, refusal.status, refusal.errorType, refusal.errorMessage);
}

function sendAccepted(response: ServerResponse): void {
  sendJson(response, 202, { status: 'OK' });
}

function sendTooLarge(response: ServerResponse): void {
  sendApiError(
    response,
    413,
    'RequestEntityTooLarge',
    `Exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
  );
}

function sendPong(request: IncomingMessage, response: ServerResponse): void {
  discardBody(request);
  sendBytes(response, 200, 'text/plain; charset=utf-8', Buffer.from('pong'));
}

function sendWrongMethod(request: IncomingMessage, response: ServerResponse): void {
  discardBody(request);
  sendBytes(response, 405, 'text/plain; charset=utf-8', Buffer.alloc(0));
}
