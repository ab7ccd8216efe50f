import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import type { RuntimeEvent, RuntimeInit } from '../runtime-session.ts';
import { EnvironmentApi, type EnvironmentApiOptions } from './environment-api.ts';

export const INIT: RuntimeInit = {
  handler: 'index.handler',
  taskRoot: '/var/task',
  optRoot: '/opt',
  runtime: 'provided.al2023',
  environment: {},
  functionName: 'f',
  functionVersion: '$LATEST',
  memoryLimitInMB: '128',
  logGroupName: 'g',
  logStreamName: 's',
  warnings: [],
};

export const NEXT_PATH = '/2018-06-01/runtime/invocation/next';
export const INIT_ERROR_PATH = '/2018-06-01/runtime/init/error';

export function answerPath(requestId: string, kind: 'response' | 'error' = 'response'): string {
  return `/2018-06-01/runtime/invocation/${requestId}/${kind}`;
}

export function event(requestId: string, fields: Partial<RuntimeEvent> = {}): RuntimeEvent {
  return {
    requestId,
    deadlineMs: 1_700_000_000_000,
    invokedFunctionArn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
    payload: Buffer.from('{}'),
    ...fields,
  };
}

export interface RawResponse {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

/** An HTTP client that writes what a test tells it to, byte by byte. */
export class RawClient {
  readonly socket: Socket;
  #received = Buffer.alloc(0);
  #wake: () => void = () => {};
  #ended = false;

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('data', (chunk: Buffer) => {
      this.#received = Buffer.concat([this.#received, chunk]);
      this.#wake();
    });
    const end = (): void => {
      this.#ended = true;
      this.#wake();
    };
    this.socket.on('end', end);
    this.socket.on('close', end);
    this.socket.on('error', end);
  }

  send(bytes: string | Buffer): void {
    this.socket.write(bytes);
  }

  request(
    method: string,
    path: string,
    body: string | Buffer = '',
    headers: Record<string, string> = {},
  ): void {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    const length = Buffer.byteLength(body);
    this.send(
      `${method} ${path} HTTP/1.1\r\nHost: h\r\n${lines.join('')}Content-Length: ${length}\r\n\r\n`,
    );
    if (length > 0) this.send(Buffer.from(body));
  }

  async call(...request: Parameters<RawClient['request']>): Promise<RawResponse> {
    this.request(...request);
    return this.response();
  }

  /** Asks for an event; settles when the server has taken that in, as requests of a connection are
   * taken in turn. */
  async pollAfterPing(): Promise<void> {
    this.send(`GET /ping HTTP/1.1\r\nHost: h\r\n\r\nGET ${NEXT_PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
    await this.response();
  }

  /** The next response; rejects where the connection ends before. */
  async response(): Promise<RawResponse> {
    for (;;) {
      const response = this.#take();
      if (response !== undefined) return response;
      if (this.#ended) throw new Error('The connection has ended');
      await this.#more();
    }
  }

  /** Settles when the server has closed the connection. */
  async ended(): Promise<void> {
    while (!this.#ended) await this.#more();
  }

  #more(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #take(): RawResponse | undefined {
    const headEnd = this.#received.indexOf('\r\n\r\n');
    if (headEnd < 0) return undefined;
    const [statusLine = '', ...lines] = this.#received
      .subarray(0, headEnd)
      .toString()
      .split('\r\n');
    const headers: Record<string, string> = {};
    for (const line of lines) {
      const colon = line.indexOf(':');
      headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    const bodyEnd = headEnd + 4 + Number(headers['content-length'] ?? 0);
    if (this.#received.length < bodyEnd) return undefined;
    const body = this.#received.subarray(headEnd + 4, bodyEnd).toString();
    this.#received = this.#received.subarray(bodyEnd);
    return { status: Number(statusLine.split(' ')[1]), headers, body };
  }
}

/** An API that listens on loopback, for tests to talk to. */
export class ListeningApi implements AsyncDisposable {
  readonly api: EnvironmentApi;
  readonly #server: Server;
  readonly #clients: RawClient[] = [];

  private constructor(api: EnvironmentApi, server: Server) {
    this.api = api;
    this.#server = server;
  }

  static async start(options: EnvironmentApiOptions): Promise<ListeningApi> {
    const api = new EnvironmentApi(options);
    const server = createServer((socket) => api.attach(socket));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new ListeningApi(api, server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  client(): RawClient {
    const client = new RawClient(this.port);
    this.#clients.push(client);
    return client;
  }

  /** A client that waits for an event, with the session initialised. */
  async readyClient(): Promise<RawClient> {
    const client = this.client();
    const init = this.api.runtime.init(INIT);
    client.request('GET', NEXT_PATH);
    await init;
    return client;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.api[Symbol.dispose]();
    for (const client of this.#clients) client.socket.destroy();
    this.#server.close();
    await once(this.#server, 'close');
  }
}
