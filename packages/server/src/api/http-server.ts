import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Clock } from '../clock/clock.ts';
import { ADMIN_PREFIX, createAdminRouter, type AdminRoute } from './admin-router.ts';
import { sendLine } from './http-answer.ts';
import { foreignOrigin } from './request-origin.ts';

export interface HttpServerOptions {
  /** Endpoints below `/_hearth/`. */
  readonly adminRoutes: readonly AdminRoute[];
  /** Gets every other request, and whether it comes from a function's own network. */
  readonly lambdaApi: (
    request: IncomingMessage,
    response: ServerResponse,
    isFromFunction: boolean,
  ) => void;
  /** Names other than `localhost` and addresses by which clients may call the server, in lower case. */
  readonly ownHosts: readonly string[];
  readonly clock: Clock;
  readonly onFault: (error: unknown) => void;
}

/** Request line and headers together; more is answered with 431. */
const MAX_HEADER_BYTES = 16_384;
/** Headers that arrive more slowly than this end the connection. */
const HEADERS_TIMEOUT_MS = 10_000;
/** A whole request, of 70 MB at most, that arrives more slowly than this ends the connection. */
const REQUEST_TIMEOUT_MS = 300_000;
/** Longer than clients keep idle connections, so that it is they who close them. */
const KEEP_ALIVE_TIMEOUT_MS = 75_000;
const TIMEOUT_CHECK_INTERVAL_MS = 1_000;

const NOT_FOR_FUNCTIONS = 'Cannot serve the request as it must not come from a function';

/**
 * The server's door. Malformed HTTP is answered with 400, headers that are too large with 431 and
 * slow ones with 408, all by node:http itself; foreign Host and Origin with 403.
 */
export class HttpServer {
  readonly #server: Server;
  readonly #clock: Clock;
  readonly #ofFunctions = new WeakSet<Socket>();
  #closed: Promise<void> | undefined;

  constructor(options: HttpServerOptions) {
    this.#clock = options.clock;
    const admin = createAdminRouter(options.adminRoutes, options.onFault);
    const ownHosts = new Set(options.ownHosts);
    // While the server closes, a connection that has been answered would idle until its client tires.
    const onAnswered = (): void => {
      if (this.#closed !== undefined) setImmediate(() => this.#server.closeIdleConnections());
    };
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADER_BYTES,
        headersTimeout: HEADERS_TIMEOUT_MS,
        requestTimeout: REQUEST_TIMEOUT_MS,
        keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
        connectionsCheckingInterval: TIMEOUT_CHECK_INTERVAL_MS,
        noDelay: true,
      },
      (request, response) => {
        // A connection that fails while it is written to concerns nobody else.
        response.on('error', () => response.destroy());
        response.on('close', onAnswered);
        const isFromFunction = this.#ofFunctions.has(request.socket);
        const foreign = foreignOrigin(request.headers, ownHosts);
        if (foreign !== undefined) sendLine(response, 403, foreign);
        else if (request.url?.startsWith('/') !== true) {
          sendLine(response, 400, 'Cannot serve the request as its target must be a path');
        } else if (request.url.startsWith(ADMIN_PREFIX)) {
          if (isFromFunction) sendLine(response, 403, NOT_FOR_FUNCTIONS);
          else admin(request, response);
        } else options.lambdaApi(request, response, isFromFunction);
      },
    );
  }

  /**
   * Serves a connection that comes from a function's own network. Administration is not for
   * functions: such paths are refused on it.
   */
  acceptFromFunction(socket: Socket): void {
    this.#ofFunctions.add(socket);
    this.#server.emit('connection', socket);
  }

  /** Starts to listen; settles with the port, which is a free one where `port` is 0. */
  listen(port: number, host: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#server.once('error', reject);
      this.#server.listen(port, host, () => {
        this.#server.off('error', reject);
        const address = this.#server.address();
        resolve(typeof address === 'object' && address !== null ? address.port : port);
      });
    });
  }

  /**
   * Takes no more requests and settles when those that run are answered; what is left after
   * `graceMs` is cut off. Repeated calls share the first one's outcome.
   */
  close(graceMs: number): Promise<void> {
    this.#closed ??= new Promise((resolve) => {
      const timer = this.#clock.startTimer(graceMs, () => this.#server.closeAllConnections());
      this.#server.close(() => {
        timer.cancel();
        resolve();
      });
      this.#server.closeIdleConnections();
    });
    return this.#closed;
  }
}
