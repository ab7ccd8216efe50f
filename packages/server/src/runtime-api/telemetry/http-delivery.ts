import { request as httpRequest, type IncomingMessage } from 'node:http';
import type { Duplex } from 'node:stream';
import type { TelemetryDestination } from './subscription.ts';
import type { ConnectToSandbox, TelemetryDelivery } from './telemetry-delivery.ts';

/** An answer has no content that matters; a listener that sends more than this is cut off. */
const MAX_ANSWER_BYTES = 65_536;

/** Posts each batch as a JSON array, on a connection of its own. */
export class HttpDelivery implements TelemetryDelivery {
  readonly #destination: TelemetryDestination & { readonly protocol: 'HTTP' };
  readonly #connect: ConnectToSandbox;
  readonly #disposal = new AbortController();

  constructor(
    destination: TelemetryDestination & { readonly protocol: 'HTTP' },
    connect: ConnectToSandbox,
  ) {
    this.#destination = destination;
    this.#connect = connect;
  }

  async send(events: readonly string[], signal: AbortSignal): Promise<void> {
    const ended = AbortSignal.any([signal, this.#disposal.signal]);
    const socket = await this.#connect(this.#destination.port, ended);
    // An error after the exchange concerns nobody.
    socket.on('error', () => {});
    try {
      ended.throwIfAborted();
      await this.#exchange(socket, Buffer.from(`[${events.join(',')}]`), ended);
    } finally {
      socket.destroy();
    }
  }

  [Symbol.dispose](): void {
    this.#disposal.abort();
  }

  #exchange(socket: Duplex, body: Buffer, signal: AbortSignal): Promise<void> {
    const { method, authority, path } = this.#destination;
    return new Promise((resolve, reject) => {
      const request = httpRequest({
        createConnection: () => socket,
        method,
        path,
        setHost: false,
        headers: {
          Host: authority,
          'Content-Type': 'application/json',
          'Content-Length': body.length,
          Connection: 'close',
        },
        signal,
      });
      request.on('error', reject);
      request.on('close', () => reject(new Error('The listener closed the connection')));
      request.on('response', (response) => {
        readPast(response, () => {
          const status = response.statusCode ?? 0;
          if (status < 400) resolve();
          else reject(new Error(`The listener answered with status ${status}`));
        });
      });
      request.end(body);
    });
  }
}

function readPast(response: IncomingMessage, done: () => void): void {
  let bytes = 0;
  response.on('data', (chunk: Buffer) => {
    bytes += chunk.length;
    if (bytes > MAX_ANSWER_BYTES) done();
  });
  response.on('end', done);
  response.on('error', () => {});
}
