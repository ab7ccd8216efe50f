import type { Socket } from 'node:net';
import type { GuestNetwork } from '../../sandbox/guest-network.ts';

/** Where programs of an environment find the Runtime, Extensions and Telemetry APIs. */
const RUNTIME_API_PORT = 9_001;
/** Where they find this server's own API, if they have a network of their own. */
const ENDPOINT_PORT = 4_566;

/**
 * What the programs of one environment can connect to. Opened with the sandbox, before it is known
 * whose it will be; until it is, nobody is there to be talked to.
 */
export class EnvironmentDoors {
  /** `host:port` of the Runtime API as seen from inside. */
  readonly runtimeApi: string;
  /** `host:port` of this server's API as seen from inside; undefined where it is the host's own. */
  readonly serverApi: string | undefined;
  readonly #visitors: Visitors;

  private constructor(runtimeApi: string, serverApi: string | undefined, visitors: Visitors) {
    this.runtimeApi = runtimeApi;
    this.serverApi = serverApi;
    this.#visitors = visitors;
  }

  /** @param acceptFromFunction serves this server's API on a connection from the sandbox */
  static async open(
    network: GuestNetwork,
    acceptFromFunction: (socket: Socket) => void,
  ): Promise<EnvironmentDoors> {
    const visitors: Visitors = { receive: (socket) => socket.destroy() };
    const [runtimeApi, serverApi] = await Promise.all([
      network.serve(RUNTIME_API_PORT, (socket) => void visitors.receive(socket)),
      network.isolated ? network.serve(ENDPOINT_PORT, acceptFromFunction) : undefined,
    ]);
    return new EnvironmentDoors(runtimeApi, serverApi, visitors);
  }

  /** Who gets the connections to the Runtime API from now on. */
  directRuntimeApi(receive: (socket: Socket) => void): void {
    this.#visitors.receive = receive;
  }
}

interface Visitors {
  receive(this: void, socket: Socket): unknown;
}
