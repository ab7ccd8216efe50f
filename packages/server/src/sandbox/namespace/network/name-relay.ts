import { createSocket, type RemoteInfo, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { connect, createServer, isIPv4, type Server, type Socket } from 'node:net';
import type { Clock } from '../../../clock/clock.ts';
import type { InternetAddress } from '../../../system-calls/network-calls.ts';
import { bindSocket } from './bound-socket.ts';
import type { ThreadNetwork } from './thread-network.ts';

const NAME_PORT = 53;
/** A resolver asks again after five seconds; by then the next server has been tried. */
const ANSWER_TIMEOUT_MS = 2_000;
const CONNECTION_LIFE_MS = 30_000;
const MAX_QUESTIONS = 512;
const MAX_QUESTIONS_OF_ONE = 64;
const MAX_CONNECTIONS = 128;

/**
 * Passes questions for names on to the host's name servers, for environments that cannot reach them.
 * What is asked and answered is passed on as it is.
 */
export class NameRelay implements AsyncDisposable {
  /** Whom to ask: addresses, the next where one does not answer. None: nothing is answered. */
  servers: readonly string[] = [];
  readonly #clock: Clock;
  readonly #serverPort: number;
  readonly #datagrams: DatagramSocket;
  readonly #connections: Server;
  readonly #sockets = new Set<Socket>();
  readonly #pending = new Set<DatagramSocket>();
  /** How many questions of an environment wait for an answer. */
  readonly #questions = new Map<string, number>();
  #closed = false;

  private constructor(
    clock: Clock,
    serverPort: number,
    datagrams: DatagramSocket,
    connections: Server,
  ) {
    this.#clock = clock;
    this.#serverPort = serverPort;
    this.#datagrams = datagrams;
    this.#connections = connections;
    datagrams.on('message', (question, from) => {
      this.#ask(question, from);
    });
    // Nobody to tell: who asked has gone.
    datagrams.on('error', () => {});
    connections.on('connection', (socket) => {
      this.#join(socket);
    });
    connections.maxConnections = MAX_CONNECTIONS;
  }

  /**
   * Listens in another network namespace, and asks from the server's own.
   *
   * @param serverPort where name servers listen; tests have others
   */
  static async open(
    thread: ThreadNetwork,
    namespace: number,
    address: string,
    clock: Clock,
    serverPort = NAME_PORT,
  ): Promise<NameRelay> {
    const at: InternetAddress = { address, port: NAME_PORT };
    const datagrams = createSocket('udp4');
    const connections = createServer({ pauseOnConnect: true, allowHalfOpen: true });
    const relay = new NameRelay(clock, serverPort, datagrams, connections);
    try {
      const listening = [once(datagrams, 'listening'), once(connections, 'listening')];
      const bound = (kind: 'tcp' | 'udp'): number =>
        thread.inside(namespace, () => bindSocket(thread.calls, kind, at));
      datagrams.bind({ fd: bound('udp') });
      connections.listen({ fd: bound('tcp') });
      await Promise.all(listening);
      return relay;
    } catch (error) {
      await relay[Symbol.asyncDispose]();
      throw error;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    for (const socket of this.#sockets) socket.destroy();
    for (const socket of this.#pending) socket.close();
    this.#datagrams.close();
    if (this.#connections.listening) {
      await new Promise((resolve) => this.#connections.close(resolve));
    }
  }

  #ask(question: Buffer, { address, port }: RemoteInfo): void {
    const waiting = this.#questions.get(address) ?? 0;
    if (this.#pending.size >= MAX_QUESTIONS || waiting >= MAX_QUESTIONS_OF_ONE) return;
    this.#questions.set(address, waiting + 1);
    void this.#answer(question).then((answer) => {
      const left = (this.#questions.get(address) ?? 1) - 1;
      if (left === 0) this.#questions.delete(address);
      else this.#questions.set(address, left);
      // An error has nobody to be told to, as with any datagram.
      if (answer !== undefined && !this.#closed)
        this.#datagrams.send(answer, port, address, () => {});
    });
  }

  /** The first answer that a server gives; undefined where none does. */
  async #answer(question: Buffer): Promise<Buffer | undefined> {
    for (const server of this.servers) {
      const answer = this.#closed ? undefined : await this.#askOne(question, server);
      if (answer !== undefined) return answer;
    }
    return undefined;
  }

  #askOne(question: Buffer, server: string): Promise<Buffer | undefined> {
    return new Promise((resolve) => {
      // A port of its own for each question: an answer cannot be forged by guessing its number.
      const socket = createSocket(isIPv4(server) ? 'udp4' : 'udp6');
      this.#pending.add(socket);
      const timer = this.#clock.startTimer(ANSWER_TIMEOUT_MS, () => {
        socket.close();
      });
      let answer: Buffer | undefined;
      socket.on('error', () => {
        socket.close();
      });
      socket.on('message', (message) => {
        if (answer !== undefined || !message.subarray(0, 2).equals(question.subarray(0, 2))) return;
        answer = message;
        socket.close();
      });
      socket.on('close', () => {
        timer.cancel();
        this.#pending.delete(socket);
        resolve(answer);
      });
      socket.connect(this.#serverPort, server, () => {
        socket.send(question);
      });
    });
  }

  #join(socket: Socket): void {
    this.#keep(socket);
    const life = this.#clock.startTimer(CONNECTION_LIFE_MS, () => socket.destroy());
    socket.once('close', () => {
      life.cancel();
    });
    this.#connect(socket, this.servers);
  }

  #connect(socket: Socket, [server, ...others]: readonly string[]): void {
    if (server === undefined || socket.destroyed) {
      socket.destroy();
      return;
    }
    const upstream = this.#keep(
      connect({ host: server, port: this.#serverPort, allowHalfOpen: true }),
    );
    const next = (): void => {
      this.#connect(socket, others);
    };
    upstream.once('error', next);
    socket.once('close', () => upstream.destroy());
    upstream.once('connect', () => {
      upstream.off('error', next);
      // What it has sent before still goes to who asked.
      upstream.once('close', () => {
        socket.destroySoon();
      });
      socket.pipe(upstream).pipe(socket);
    });
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.on('error', () => {});
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
