import type { Socket } from 'node:net';

/** The network of one sandbox, as the server uses it. */
export interface GuestNetwork {
  /** False: the host's own network, which isolates nothing. */
  readonly isolated: boolean;
  /**
   * Programs of the sandbox reach `onConnection` at the address that is returned, until the sandbox
   * is disposed: `169.254.100.1:9001` in a network of its own, where nobody else does;
   * `127.0.0.1:<a free port>` on the host's. A port is served once. After dispose it rejects.
   */
  serve(port: number, onConnection: (socket: Socket) => void): Promise<string>;
  /**
   * Connects to a port that a program of the sandbox listens on at 127.0.0.1. Rejects where nobody
   * does, where `signal` is aborted, and after dispose.
   */
  connect(port: number, signal: AbortSignal): Promise<Socket>;
}
