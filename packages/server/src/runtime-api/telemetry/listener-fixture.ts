import { createServer, type IncomingMessage, type Server } from 'node:http';
import { duplexPair, type Duplex } from 'node:stream';

/** What a listener of the tests was sent. */
export interface ReceivedBatch {
  readonly method: string | undefined;
  readonly url: string | undefined;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
  /** Answers; the request stays unanswered before. */
  answer(status?: number, body?: string): void;
}

export interface ReceivedEvent {
  readonly time: string;
  readonly type: string;
  readonly record: unknown;
}

/** An extension's HTTP listener without a port: connections are made in memory. */
export class ListenerFixture implements Disposable {
  /** Refuse connections. */
  refuses = false;
  /** Answer with 200 at once. */
  answers = true;
  /** How often somebody tried to connect, to which port. */
  readonly attempts: number[] = [];
  /** Connections that are open. */
  readonly open = new Set<Duplex>();
  readonly #server: Server;
  readonly #received: ReceivedBatch[] = [];
  readonly #waiting: ((batch: ReceivedBatch) => void)[] = [];

  constructor() {
    this.#server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on('data', (chunk: Buffer) => chunks.push(chunk));
      request.on('end', () => {
        if (this.answers) response.end();
        this.#receive({
          method: request.method,
          url: request.url,
          headers: request.headers,
          body: Buffer.concat(chunks).toString(),
          answer: (status = 200, content = '') => void response.writeHead(status).end(content),
        });
      });
    });
  }

  readonly connect = async (port: number, signal: AbortSignal): Promise<Duplex> => {
    signal.throwIfAborted();
    this.attempts.push(port);
    if (this.refuses) throw new Error('connect ECONNREFUSED');
    const [near, far] = duplexPair();
    this.open.add(near);
    near.on('close', () => this.open.delete(near));
    far.on('error', () => {});
    this.#server.emit('connection', far);
    return Promise.resolve(near);
  };

  /** The next batch that comes, or came. */
  batch(): Promise<ReceivedBatch> {
    const received = this.#received.shift();
    if (received !== undefined) return Promise.resolve(received);
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  /** Its events. */
  async events(): Promise<ReceivedEvent[]> {
    const { body } = await this.batch();
    return JSON.parse(body) as ReceivedEvent[];
  }

  /** Batches that nobody has asked for. */
  get unread(): number {
    return this.#received.length;
  }

  [Symbol.dispose](): void {
    for (const socket of this.open) socket.destroy();
    this.#server.close();
  }

  #receive(batch: ReceivedBatch): void {
    const waiting = this.#waiting.shift();
    if (waiting === undefined) this.#received.push(batch);
    else waiting(batch);
  }
}

/** Everything that is under way in memory has run afterwards. */
export async function turns(count = 20): Promise<void> {
  for (let turn = 0; turn < count; turn += 1) {
    await new Promise((resolve) => setImmediate(resolve));
  }
}
