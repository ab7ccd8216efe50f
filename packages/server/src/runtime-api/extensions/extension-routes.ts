import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  discardBody,
  readBoundedBody,
  requestHeader,
  requestPath,
  sendApiError,
  sendBytes,
  sendJson,
  type ApiRoutes,
} from '../http/api-route.ts';
import { randomUUID } from 'node:crypto';
import { ExtensionApiError } from './extension-api-error.ts';
import { extensionIdentifier } from './extension-identifier.ts';
import type { ExtensionRegistry } from './extension-registry.ts';
import { acceptsAccountId, extensionName, registeredEvents } from './register-request.ts';

/** What an extension is told of its function when it registers. */
export interface ExtensionFunction {
  readonly functionName: string;
  readonly functionVersion: string;
  readonly handler: string;
  readonly accountId: string;
}

interface ExtensionCall {
  readonly method: 'GET' | 'POST';
  readonly kind: 'register' | 'next' | 'init-error' | 'exit-error';
}

const CALLS: ReadonlyMap<string, ExtensionCall> = new Map([
  ['/2020-01-01/extension/register', { method: 'POST', kind: 'register' }],
  ['/2020-01-01/extension/event/next', { method: 'GET', kind: 'next' }],
  ['/2020-01-01/extension/init/error', { method: 'POST', kind: 'init-error' }],
  ['/2020-01-01/extension/exit/error', { method: 'POST', kind: 'exit-error' }],
]);

/** A register request is a list of two words at most. */
const MAX_REGISTER_BYTES = 65_536;

/** An error type goes into log lines. */
const MAX_ERROR_TYPE_LENGTH = 256;

/**
 * AWS's Extensions API, version 2020-01-01, as HTTP. `functionOf` is asked when an extension
 * registers, by which time the environment has its function.
 *
 * Status codes, error types and messages are those of AWS's own emulator. A body that is too long
 * gets 413 (unverified: the emulator has no bound). The answer to `next` carries the identifier as
 * AWS's documents say, and the event identifier as its emulator does, for SHUTDOWN too.
 */
export class ExtensionRoutes implements ApiRoutes {
  readonly #registry: ExtensionRegistry;
  readonly #functionOf: () => ExtensionFunction;

  constructor(registry: ExtensionRegistry, functionOf: () => ExtensionFunction) {
    this.#registry = registry;
    this.#functionOf = functionOf;
  }

  handle(request: IncomingMessage, response: ServerResponse): boolean {
    const path = requestPath(request);
    const call = CALLS.get(path);
    if (call === undefined) return false;
    if (request.method !== call.method) {
      discardBody(request);
      sendBytes(response, 405, 'text/plain; charset=utf-8', Buffer.alloc(0));
    } else if (call.kind === 'register') {
      void this.#register(request, response);
    } else {
      discardBody(request);
      const { kind } = call;
      answering(response, () =>
        kind === 'next'
          ? this.#next(request, response)
          : this.#reportError(kind, request, response),
      );
    }
    return true;
  }

  async #register(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const body = await readBoundedBody(request, MAX_REGISTER_BYTES);
    if (body.kind === 'truncated') return;
    if (body.kind === 'too-large') {
      sendApiError(
        response,
        413,
        'RequestEntityTooLarge',
        `Exceeded maximum allowed payload size (${MAX_REGISTER_BYTES} bytes).`,
      );
      return;
    }
    answering(response, () => {
      const name = extensionName(requestHeader(request, 'lambda-extension-name'));
      const events = registeredEvents(body.bytes);
      const identifier = this.#registry.register(name, events);
      const { functionName, functionVersion, handler, accountId } = this.#functionOf();
      const answer = acceptsAccountId(requestHeader(request, 'lambda-extension-accept-feature'))
        ? { functionName, functionVersion, handler, accountId }
        : { functionName, functionVersion, handler };
      sendJson(response, 200, answer, { 'Lambda-Extension-Identifier': identifier });
    });
  }

  #next(request: IncomingMessage, response: ServerResponse): void {
    const identifier = extensionIdentifier(request);
    const leave = this.#registry.next(identifier, (event) =>
      sendJson(response, 200, event, {
        'Lambda-Extension-Identifier': identifier,
        'Lambda-Extension-Event-Identifier': randomUUID(),
      }),
    );
    response.once('close', leave);
  }

  #reportError(
    kind: 'init-error' | 'exit-error',
    request: IncomingMessage,
    response: ServerResponse,
  ): void {
    const identifier = extensionIdentifier(request);
    const errorType = requestHeader(request, 'lambda-extension-function-error-type');
    if (errorType === undefined) {
      throw new ExtensionApiError(
        'Extension.MissingHeader',
        'Lambda-Extension-Function-Error-Type not found',
      );
    }
    this.#registry.reportError(kind, identifier, onOneLine(errorType));
    sendJson(response, 202, { status: 'OK' });
  }
}

/** Answers with the refusal that `handle` throws; a fault of the server's is a 500. */
function answering(response: ServerResponse, handle: () => void): void {
  try {
    handle();
  } catch (error) {
    if (error instanceof ExtensionApiError) {
      sendApiError(response, 403, error.errorType, error.message);
    } else {
      sendApiError(response, 500, 'InternalServerError', 'Internal Server Error');
    }
  }
}

function onOneLine(errorType: string): string {
  return errorType.slice(0, MAX_ERROR_TYPE_LENGTH).replaceAll(/\p{Cc}+/gu, ' ');
}
