import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { GuestNetwork } from './guest-network.ts';
import { SandboxError } from './sandbox.ts';

const LOOPBACK = '127.0.0.1';

/** The host's own network as a sandbox's: whatever is served there, every process may reach. */
export class HostNetwork implements GuestNetwork, AsyncDisposable {
  readonly isolated = false;
  readonly #servers = new Map<number, Server>();
  readonly #sockets = new Set<Socket>();
  #disposed = false;

  async serve(port: number, onConnection: (socket: Socket) => void): Promise<string> {
    this.#checkAlive(`serve port ${port}`);
    if (this.#servers.has(port)) {
      throw new SandboxError(`Cannot serve port ${port} as it is served already`);
    }
    const server = createServer((socket) => {
      this.#keep(socket);
      onConnection(socket);
    });
    this.#servers.set(port, server);
    // Sandboxes share this network, so the port that they ask for may be another's.
    server.listen(0, LOOPBACK);
    try {
      await once(server, 'listening');
    } catch (error) {
      this.#servers.delete(port);
      throw new SandboxError(`Cannot serve port ${port}: ${String(error)}`, { cause: error });
    }
    const address = server.address();
    if (this.#disposed || address === null || typeof address === 'string') {
      server.close();
      throw new SandboxError(`Cannot serve port ${port} as the sandbox has been disposed`);
    }
    return `${LOOPBACK}:${address.port}`;
  }

  async connect(port: number, signal: AbortSignal): Promise<Socket> {
    this.#checkAlive(`connect to port ${port}`);
    signal.throwIfAborted();
    const socket = this.#keep(connect({ host: LOOPBACK, port }));
    try {
      await once(socket, 'connect', { signal });
    } catch (error) {
      socket.destroy();
      throw new SandboxError(`Cannot connect to port ${port} of the sandbox`, { cause: error });
    }
    return socket;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed = true;
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      [...this.#servers.values()]
        .filter((server) => server.listening)
        .map((server) => new Promise((resolve) => server.close(resolve))),
    );
  }

  #checkAlive(action: string): void {
    if (!this.#disposed) return;
    throw new SandboxError(`Cannot ${action} as the sandbox has been disposed`);
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
