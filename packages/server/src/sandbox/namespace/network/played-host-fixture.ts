import { randomBytes, randomInt } from 'node:crypto';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { loadNetworkCalls, type NetworkCalls } from '../../../system-calls/network-calls.ts';
import type { SpawnScope } from '../spawn-scope.ts';
import { bindSocket } from './bound-socket.ts';
import { linksHere } from './host-links.ts';
import {
  addAddress,
  addRoute,
  bringUp,
  createPair,
  deleteLink,
  LOOPBACK_INDEX,
} from './link-requests.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { setNetworkSettings } from './network-settings.ts';
import { ThreadNetwork } from './thread-network.ts';

/**
 * An empty network namespace that the test's thread, and what it starts, takes for the host. So
 * nothing of a test is on the machine's own network, and nothing that gets through leaves it.
 */
export class PlayedHost implements Disposable {
  readonly #calls: NetworkCalls;
  readonly #machine: number;

  private constructor(calls: NetworkCalls) {
    this.#calls = calls;
    this.#machine = openSync('/proc/thread-self/ns/net', 'r');
  }

  static async enter(): Promise<PlayedHost> {
    const calls = await loadNetworkCalls();
    const host = new PlayedHost(calls);
    calls.enterNewNetwork();
    using netlink = new NetlinkSocket(calls);
    await netlink.request([bringUp(LOOPBACK_INDEX)]);
    return host;
  }

  [Symbol.dispose](): void {
    this.#calls.enterNetwork(this.#machine);
    closeSync(this.#machine);
  }
}

/** Another machine on a network of the host: a network namespace, and a link to it. */
export class RemoteMachine implements AsyncDisposable, SpawnScope {
  readonly address: string;
  /** Of the host, as the machine sees it. */
  readonly hostAddress: string;
  /** The host's link to it. */
  readonly link: string;
  readonly #thread: ThreadNetwork;
  readonly #namespace: number;
  readonly #linkIndex: number;
  readonly #servers: Server[] = [];
  readonly #sockets: DatagramSocket[] = [];

  private constructor(
    thread: ThreadNetwork,
    namespace: number,
    link: { readonly name: string; readonly index: number },
    addresses: { readonly remote: string; readonly host: string },
  ) {
    this.#thread = thread;
    this.#namespace = namespace;
    this.link = link.name;
    this.#linkIndex = link.index;
    this.address = addresses.remote;
    this.hostAddress = addresses.host;
  }

  static async create(): Promise<RemoteMachine> {
    const thread = new ThreadNetwork(await loadNetworkCalls());
    const namespace = thread.create();
    const name = `remote${randomBytes(4).toString('hex')}`;
    // Of the addresses for documentation, RFC 5737.
    const first = 4 * randomInt(64);
    const addresses = {
      host: `198.51.100.${first + 1}`,
      remote: `198.51.100.${first + 2}`,
    };
    using host = new NetlinkSocket(thread.calls);
    using remote = thread.inside(namespace, () => new NetlinkSocket(thread.calls));
    const peer = { name: 'eth0', index: 2, namespace };
    await host.request([createPair({ name, index: 0 }, peer)]);
    const link = (await linksHere(thread.calls)).find((candidate) => candidate.name === name);
    if (link === undefined) throw new Error(`the link ${name} is gone`);
    await host.request([addAddress(link.index, addresses.host, addresses.remote)]);
    await remote.request([
      bringUp(LOOPBACK_INDEX),
      bringUp(2),
      addAddress(2, addresses.remote, addresses.host),
      addRoute('default', 2, addresses.host),
    ]);
    return new RemoteMachine(thread, namespace, link, addresses);
  }

  /** Makes it the host's way to the internet, all addresses of which it answers for. */
  async playInternet(): Promise<void> {
    using host = new NetlinkSocket(this.#thread.calls);
    using remote = this.#thread.inside(this.#namespace, () => {
      // What it answers comes from addresses to which it has another route.
      setNetworkSettings({ 'ipv4/conf/all/rp_filter': '0', 'ipv4/conf/eth0/rp_filter': '0' });
      return new NetlinkSocket(this.#thread.calls);
    });
    await remote.request([routeToItself()]);
    await host.request([addRoute('default', this.#linkIndex, this.address)]);
  }

  /** Listens at all its addresses; what connects is told the address that it comes from. */
  listen(port: number): Promise<void> {
    return this.serve(port, (socket) => socket.end(socket.remoteAddress ?? ''));
  }

  async serve(port: number, onConnection: (socket: Socket) => void): Promise<void> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      onConnection(socket);
    });
    this.#servers.push(server);
    server.listen({ fd: this.#bind('tcp', port, '0.0.0.0') });
    await once(server, 'listening');
  }

  /** Calls `onMessage` with what comes by UDP to an address of it, where from, and how to answer. */
  async receive(
    port: number,
    onMessage: (message: Buffer, from: string, reply: (answer: string | Buffer) => void) => void,
    address = '0.0.0.0',
  ): Promise<void> {
    const socket = createSocket('udp4', (message, from) => {
      onMessage(message, from.address, (answer) => socket.send(answer, from.port, from.address));
    });
    this.#sockets.push(socket);
    // Announced before the call returns.
    const listening = once(socket, 'listening');
    socket.bind({ fd: this.#bind('udp', port, address) });
    await listening;
  }

  spawnInside<Child>(spawn: () => Child): Child {
    return this.#thread.inside(this.#namespace, spawn);
  }

  /** What it sends to these addresses goes to the host. */
  async addRouteToHost(addresses: string): Promise<void> {
    using remote = this.spawnInside(() => new NetlinkSocket(this.#thread.calls));
    await remote.request([addRoute(addresses, 2, this.hostAddress)]);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const socket of this.#sockets) socket.close();
    await Promise.all(
      this.#servers.map((server) => new Promise((resolve) => server.close(resolve))),
    );
    using host = new NetlinkSocket(this.#thread.calls);
    await host.request([deleteLink(this.link)]);
    closeSync(this.#namespace);
    this.#thread[Symbol.dispose]();
  }

  #bind(kind: 'tcp' | 'udp', port: number, address: string): number {
    return this.spawnInside(() => bindSocket(this.#thread.calls, kind, { address, port }));
  }
}

/** All addresses are the machine's own: a route of the type `local` in the table of such routes. */
function routeToItself(): NetlinkRequest {
  const request = addRoute('default', LOOPBACK_INDEX);
  const payload = Buffer.from(request.payload);
  const [tableLocal, scopeHost, typeLocal] = [255, 254, 2];
  payload.writeUInt8(tableLocal, 4);
  payload.writeUInt8(scopeHost, 6);
  payload.writeUInt8(typeLocal, 7);
  return { ...request, name: 'add route to itself', payload };
}
