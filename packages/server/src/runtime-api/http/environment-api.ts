import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { discardBody, sendBytes, type ApiRoutes } from './api-route.ts';
import { serveConnection } from './api-server.ts';
import { HttpRuntimeSession } from './http-runtime-session.ts';
import { ClosedRuntimeRoutes, RuntimeRoutes } from './runtime-routes.ts';

export interface EnvironmentApiOptions {
  /**
   * `http`: the runtime calls this API. `framed`: it talks to the server by other means, and calls of
   * the Runtime API, which can only be the function's, are refused.
   */
  readonly runtime: 'http' | 'framed';
  /** What is served beside the Runtime API. */
  readonly routes?: ApiRoutes;
}

/**
 * Connections of one environment at once: two of its runtime and of each of ten extensions, and some
 * that programs forgot. Each can hold a megabyte of unfinished headers here.
 */
const MAX_CONNECTIONS = 32;

const NOT_FOUND = Buffer.from('404 page not found\n');

/**
 * What the programs of one environment reach at `AWS_LAMBDA_RUNTIME_API`, for one generation of
 * its processes: a reset disposes it and makes another, so that nothing of the old processes' can
 * reach the new ones' session.
 */
export class EnvironmentApi implements Disposable {
  /** The runtime's side; without use where the runtime is `framed`. */
  readonly runtime = new HttpRuntimeSession();
  readonly #runtimeRoutes: ApiRoutes;
  readonly #routes: ApiRoutes | undefined;
  readonly #sockets = new Set<Socket>();
  #disposed = false;

  constructor(options: EnvironmentApiOptions) {
    this.#runtimeRoutes =
      options.runtime === 'http' ? new RuntimeRoutes(this.runtime) : new ClosedRuntimeRoutes();
    this.#routes = options.routes;
  }

  /** Takes over a connection from the sandbox; one too many is closed, as is one after dispose. */
  attach(socket: Socket): void {
    if (this.#disposed || socket.destroyed || this.#sockets.size >= MAX_CONNECTIONS) {
      socket.on('error', () => {});
      socket.destroy();
      return;
    }
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    serveConnection(socket, this.#handle);
  }

  /** Cuts all connections; pending calls of the session reject. */
  [Symbol.dispose](): void {
    this.#disposed = true;
    this.runtime[Symbol.dispose]();
    for (const socket of this.#sockets) socket.destroy();
  }

  readonly #handle = (request: IncomingMessage, response: ServerResponse): void => {
    if (this.#runtimeRoutes.handle(request, response)) return;
    if (this.#routes?.handle(request, response) === true) return;
    discardBody(request);
    sendBytes(response, 404, 'text/plain; charset=utf-8', NOT_FOUND);
  };
}
