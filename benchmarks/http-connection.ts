import { connect, type Socket } from 'node:net';

const HEADERS_END = Buffer.from('\r\n\r\n');

export interface HttpAnswer {
  readonly status: number;
  /** Status line and header lines as they came. */
  readonly head: string;
  readonly body: Buffer;
}

/**
 * One kept-alive HTTP/1.1 connection that sends prepared requests one after the other. It costs much
 * less processor time than a real client, which shares the machine with what is measured, and it
 * understands just enough: every answer must tell its Content-Length.
 */
export class HttpConnection implements Disposable {
  readonly #socket: Socket;
  #received: Buffer = Buffer.alloc(0);
  #pending: PromiseWithResolvers<HttpAnswer> | undefined;

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => this.#take(chunk));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('The server closed the connection')));
  }

  static async open(endpoint: string): Promise<HttpConnection> {
    const { hostname, port } = new URL(endpoint);
    const socket = connect({ host: hostname, port: Number(port), noDelay: true });
    await new Promise<void>((resolve, reject) => {
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve();
      });
    });
    return new HttpConnection(socket);
  }

  /** Sends a whole request and waits for the answer; one at a time. */
  send(request: Uint8Array): Promise<HttpAnswer> {
    if (this.#pending !== undefined) throw new Error('A request is under way on this connection');
    this.#pending = Promise.withResolvers<HttpAnswer>();
    this.#socket.write(request);
    return this.#pending.promise;
  }

  [Symbol.dispose](): void {
    this.#socket.destroy();
  }

  #take(chunk: Buffer): void {
    this.#received = this.#received.length === 0 ? chunk : Buffer.concat([this.#received, chunk]);
    const headEnd = this.#received.indexOf(HEADERS_END);
    if (headEnd === -1) return;
    const head = this.#received.toString('latin1', 0, headEnd);
    const length = /\r\ncontent-length: *(\d+)/i.exec(head)?.[1];
    if (length === undefined) {
      this.#fail(new Error(`Cannot read an answer without Content-Length: ${head}`));
      return;
    }
    const end = headEnd + HEADERS_END.length + Number(length);
    if (this.#received.length < end) return;
    const body = this.#received.subarray(headEnd + HEADERS_END.length, end);
    this.#received = this.#received.subarray(end);
    const pending = this.#pending;
    this.#pending = undefined;
    pending?.resolve({ status: Number(head.slice(9, 12)), head, body });
  }

  #fail(error: Error): void {
    this.#socket.destroy();
    this.#pending?.reject(error);
    this.#pending = undefined;
  }
}

/** Bytes of a request with a body. `headers` are whole lines. */
export function httpRequest(
  method: string,
  endpoint: string,
  path: string,
  headers: readonly string[],
  body: string,
): Uint8Array {
  const lines = [
    `${method} ${path} HTTP/1.1`,
    `Host: ${new URL(endpoint).host}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    ...headers,
  ];
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n${body}`);
}
