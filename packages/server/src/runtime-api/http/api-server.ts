import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { sendApiError } from './api-route.ts';

/** Gets the requests of a connection, one after the other. */
export type RequestHandler = (request: IncomingMessage, response: ServerResponse) => void;

/**
 * Request line and headers together. An error's cause for tracing may come as a header of 1 MiB, as
 * the published clients bound it.
 */
const MAX_HEADER_BYTES = 1_048_576 + 16_384;
/** Requests on one connection that are unanswered; published clients never have more than one. */
const MAX_PIPELINED = 8;

const TRUNCATED_BODY = JSON.stringify({
  errorMessage: 'HTTP request detected as truncated',
  errorType: 'TruncatedHTTPRequest',
});

/** The connections that `serveConnection` was given. */
const connections = new WeakMap<Duplex, ApiConnection>();
let server: Server | undefined;

/**
 * Speaks HTTP on a connection that was accepted elsewhere. One server that never listens parses for
 * all environments, as a server for each would cost more than an idle environment does. It knows no
 * timeouts: its clients may be frozen at any point for any time.
 */
export function serveConnection(socket: Socket, handler: RequestHandler): void {
  server ??= createApiServer();
  connections.set(socket, new ApiConnection(socket, handler));
  server.emit('connection', socket);
}

/** Hands on the requests of one connection in turn, whatever a client pipelines. */
class ApiConnection {
  readonly #socket: Socket;
  readonly #handler: RequestHandler;
  readonly #waiting: { request: IncomingMessage; response: ServerResponse }[] = [];
  #current: { request: IncomingMessage; response: ServerResponse } | undefined;

  constructor(socket: Socket, handler: RequestHandler) {
    this.#socket = socket;
    this.#handler = handler;
  }

  add(request: IncomingMessage, response: ServerResponse): void {
    if (this.#current === undefined) this.#start(request, response);
    else if (this.#waiting.length < MAX_PIPELINED) this.#waiting.push({ request, response });
    else this.#socket.destroy();
  }

  /** What came last is not HTTP, or ended too early. */
  fail(error: Error): void {
    const { request, response } = this.#current ?? {};
    const answerable = response === undefined || (!response.headersSent && !request?.complete);
    if (!this.#socket.writable || !answerable) this.#socket.destroy();
    else this.#socket.end(malformedAnswer(error, request !== undefined));
  }

  #start(request: IncomingMessage, response: ServerResponse): void {
    if (this.#socket.destroyed) return;
    this.#current = { request, response };
    // A connection that fails while it is written to concerns nobody else.
    response.on('error', () => response.destroy());
    response.on('close', () => {
      this.#current = undefined;
      const next = this.#waiting.shift();
      if (next !== undefined) this.#start(next.request, next.response);
    });
    try {
      this.#handler(request, response);
    } catch {
      sendApiError(response, 500, 'InternalServerError', 'Internal Server Error');
    }
  }
}

function createApiServer(): Server {
  const created = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      headersTimeout: 0,
      requestTimeout: 0,
      keepAliveTimeout: 0,
      noDelay: true,
    },
    (request, response) => {
      const connection = connections.get(request.socket);
      if (connection === undefined) request.socket.destroy();
      else connection.add(request, response);
    },
  );
  created.on('clientError', (error, socket) => {
    const connection = connections.get(socket);
    if (connection === undefined) socket.destroy();
    else connection.fail(error);
  });
  return created;
}

function malformedAnswer(error: Error, isWithinBody: boolean): string {
  if ('code' in error && error.code === 'HPE_HEADER_OVERFLOW') {
    return rawAnswer('431 Request Header Fields Too Large', '');
  }
  return rawAnswer('400 Bad Request', isWithinBody ? TRUNCATED_BODY : '');
}

function rawAnswer(status: string, json: string): string {
  const type = json === '' ? '' : 'Content-Type: application/json\r\n';
  return `HTTP/1.1 ${status}\r\nConnection: close\r\n${type}Content-Length: ${json.length}\r\n\r\n${json}`;
}
