import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import {
  answerTo,
  nameIn,
} from '../../packages/server/src/sandbox/namespace/network/name-server-fixture.ts';
import { egressObstacle } from '../../packages/server/src/sandbox/namespace/network/network-fixture.ts';
import {
  PlayedHost,
  RemoteMachine,
} from '../../packages/server/src/sandbox/namespace/network/played-host-fixture.ts';
import { findSandboxPrograms } from '../../packages/server/src/sandbox/namespace/sandbox-programs.ts';

/** Why functions cannot have a network of their own here; undefined where they can. */
export function ownNetworkObstacle(): string | undefined {
  const obstacle = egressObstacle();
  if (obstacle !== undefined) return obstacle;
  try {
    findSandboxPrograms();
    return undefined;
  } catch (error) {
    return String(error);
  }
}

/**
 * A host with services and an internet, which the test's process is on from now on: nothing of it
 * is on the machine's own network.
 */
export class PlayedNetwork implements AsyncDisposable {
  /** The host's address on the network that leads to the internet. */
  readonly hostAddress: string;
  /** Of the host, at all its addresses. */
  readonly openPort: number;
  /** Of the host, at 127.0.0.1. */
  readonly loopbackPort: number;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    addresses: { hostAddress: string; openPort: number; loopbackPort: number },
    owned: AsyncDisposableStack,
  ) {
    this.hostAddress = addresses.hostAddress;
    this.openPort = addresses.openPort;
    this.loopbackPort = addresses.loopbackPort;
    this.#owned = owned;
  }

  /**
   * @param names the internet's names with their addresses; at port 80 of all its addresses HTTP
   * tells which address it sees
   */
  static async enter(names: Readonly<Record<string, string>>): Promise<PlayedNetwork> {
    await using owned = new AsyncDisposableStack();
    owned.use(await PlayedHost.enter());
    const internet = owned.use(await RemoteMachine.create());
    await internet.playInternet();
    await internet.serve(80, (socket) => {
      socket.once('data', () => socket.end(httpAnswer(`you are ${socket.remoteAddress}`)));
    });
    const onQuestion = (question: Buffer, reply: (answer: Buffer) => void): void => {
      const address = names[nameIn(question)];
      if (address !== undefined) reply(answerTo(question, address));
    };
    const server = hostsNameServer();
    if (server.startsWith('127.')) {
      const socket = createSocket('udp4', (question, from) => {
        onQuestion(question, (reply) => socket.send(reply, from.port, from.address));
      });
      owned.defer(() => void socket.close());
      socket.bind(53, server);
      await once(socket, 'listening');
    } else {
      await internet.receive(53, (question, _from, reply) => onQuestion(question, reply), server);
    }
    const openPort = await listen(owned, '0.0.0.0');
    const loopbackPort = await listen(owned, '127.0.0.1');
    const { hostAddress } = internet;
    return new PlayedNetwork({ hostAddress, openPort, loopbackPort }, owned.move());
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

function httpAnswer(text: string): string {
  return `HTTP/1.1 200 OK\r\nContent-Length: ${text.length}\r\nConnection: close\r\n\r\n${text}`;
}

/** The first that programs on this machine ask. */
function hostsNameServer(): string {
  const file = readFileSync('/etc/resolv.conf', 'latin1');
  return /^\s*nameserver\s+([\d.]+)\s*$/m.exec(file)?.[1] ?? '127.0.0.1';
}

async function listen(owned: AsyncDisposableStack, host: string): Promise<number> {
  const server = createServer((socket) => socket.end('a service of the host'));
  server.listen(0, host);
  await once(server, 'listening');
  owned.defer(() => new Promise((resolve) => server.close(() => resolve())));
  const address = server.address();
  return typeof address === 'object' && address !== null ? address.port : 0;
}
