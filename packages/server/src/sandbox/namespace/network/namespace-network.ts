import { once } from 'node:events';
import { closeSync } from 'node:fs';
import { createServer, type Server, Socket } from 'node:net';
import { SocketKind } from '../../../system-calls/network-calls.ts';
import { SandboxError } from '../../sandbox.ts';
import type { SandboxNetwork } from '../sandbox-networks.ts';
import type { SpawnScope } from '../spawn-scope.ts';
import { bindSocket } from './bound-socket.ts';
import type { ThreadNetwork } from './thread-network.ts';

/** Where environments find what the server serves them, as AWS shows it in AWS_LAMBDA_RUNTIME_API. */
export const SERVED_ADDRESS = '169.254.100.1';
const LOOPBACK = '127.0.0.1';
/** Of each port that is served: what a function opens costs descriptors of the server. */
const MAX_CONNECTIONS = 128;

/** A network namespace as the network of one sandbox; `onDispose` gets it back. */
export class NamespaceNetwork implements SandboxNetwork, SpawnScope {
  readonly isolated = true;
  readonly scope: SpawnScope = this;
  readonly #thread: ThreadNetwork;
  readonly #namespace: number;
  readonly #onDispose: () => void;
  readonly #servers = new Map<number, Server>();
  readonly #sockets = new Set<Socket>();
  readonly #end = new AbortController();
  #disposed: Promise<void> | undefined;

  constructor(thread: ThreadNetwork, namespace: number, onDispose: () => void) {
    this.#thread = thread;
    this.#namespace = namespace;
    this.#onDispose = onDispose;
  }

  /** Calls `spawn`, which must not wait for anything; what it starts is in the sandbox's network. */
  spawnInside<Child>(spawn: () => Child): Child {
    this.#checkAlive('start a process');
    return this.#thread.inside(this.#namespace, spawn);
  }

  async serve(port: number, onConnection: (socket: Socket) => void): Promise<string> {
    this.#checkAlive(`serve port ${port}`);
    if (this.#servers.has(port)) {
      throw new SandboxError(`Cannot serve port ${port} as it is served already`);
    }
    const server = createServer((socket) => {
      this.#keep(socket);
      onConnection(socket);
    });
    server.maxConnections = MAX_CONNECTIONS;
    this.#servers.set(port, server);
    try {
      const { calls } = this.#thread;
      const socket = this.#thread.inside(this.#namespace, () =>
        bindSocket(calls, 'tcp', { address: SERVED_ADDRESS, port }),
      );
      server.listen({ fd: socket });
      await once(server, 'listening', { signal: this.#end.signal });
    } catch (error) {
      this.#servers.delete(port);
      server.close();
      throw new SandboxError(`Cannot serve port ${port}: ${String(error)}`, { cause: error });
    }
    return `${SERVED_ADDRESS}:${port}`;
  }

  async connect(port: number, signal: AbortSignal): Promise<Socket> {
    this.#checkAlive(`connect to port ${port}`);
    signal.throwIfAborted();
    const { calls } = this.#thread;
    const descriptor = this.#thread.inside(this.#namespace, () =>
      calls.createSocket(SocketKind.tcp),
    );
    try {
      calls.startConnect(descriptor, { address: LOOPBACK, port });
      await calls.writable(descriptor, AbortSignal.any([signal, this.#end.signal]));
      signal.throwIfAborted();
      this.#checkAlive(`connect to port ${port}`);
      const failure = calls.connectionError(descriptor);
      if (failure !== undefined) throw new Error(failure);
    } catch (error) {
      closeSync(descriptor);
      if (error instanceof SandboxError) throw error;
      throw new SandboxError(`Cannot connect to port ${port} of the sandbox: ${String(error)}`, {
        cause: error,
      });
    }
    return this.#keep(new Socket({ fd: descriptor, readable: true, writable: true }));
  }

  /** Called once no process of the sandbox is left. Repeated calls share one outcome. */
  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#end.abort();
    for (const socket of this.#sockets) socket.destroy();
    await Promise.all(
      [...this.#servers.values()]
        .filter((server) => server.listening)
        .map((server) => new Promise((resolve) => server.close(resolve))),
    );
    this.#onDispose();
  }

  #checkAlive(action: string): void {
    if (this.#disposed === undefined) return;
    throw new SandboxError(`Cannot ${action} as the sandbox has been disposed`);
  }

  #keep(socket: Socket): Socket {
    this.#sockets.add(socket);
    socket.once('close', () => this.#sockets.delete(socket));
    return socket;
  }
}
