import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { createSocket, type Socket as DatagramSocket } from 'node:dgram';
import { closeSync, existsSync, readdirSync, readlinkSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { ManualClock } from '../../../clock/manual-clock.ts';
import { loadNetworkCalls } from '../../../system-calls/network-calls.ts';
import { createMountRoot } from '../mount-folder.ts';
import { bindSocket } from './bound-socket.ts';
import { linksHere } from './host-links.ts';
import { type InstanceNetwork, openInstanceNetwork } from './instance-network.ts';
import { networkNames } from './instance-names.ts';
import { addAddress, addRoute, bringUp, createPair, deleteLink } from './link-requests.ts';
import type { NamespaceNetwork } from './namespace-network.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import type { EgressChoice } from './network-facts.ts';
import { NetworkPool } from './network-pool.ts';
import { ThreadNetwork } from './thread-network.ts';

/** Why networks cannot be tested here; undefined where they can. */
export function networkObstacle(): string | undefined {
  if (process.platform !== 'linux') return 'needs Linux';
  if (process.getuid?.() !== 0) return 'needs root';
  return undefined;
}

/** Why egress cannot be tested here; undefined where it can. */
export function egressObstacle(): string | undefined {
  const folders = ['/usr/sbin', '/sbin', '/usr/bin', '/usr/local/bin'];
  const hasFilter = folders.some((folder) => existsSync(`${folder}/nft`));
  return networkObstacle() ?? (hasFilter ? undefined : 'needs nftables');
}

/** Networks of an instance that exists only for them; removes all it made. */
export class NetworkBench implements AsyncDisposable {
  readonly instanceId: string;
  readonly clock: ManualClock;
  readonly thread: ThreadNetwork;
  readonly instance: InstanceNetwork;
  readonly pool: NetworkPool;

  private constructor(
    instanceId: string,
    clock: ManualClock,
    thread: ThreadNetwork,
    instance: InstanceNetwork,
    pool: NetworkPool,
  ) {
    this.instanceId = instanceId;
    this.clock = clock;
    this.thread = thread;
    this.instance = instance;
    this.pool = pool;
  }

  static async open(egress: EgressChoice): Promise<NetworkBench> {
    createMountRoot();
    const instanceId = randomBytes(6).toString('hex');
    const clock = new ManualClock();
    const thread = new ThreadNetwork(await loadNetworkCalls());
    const instance = await openInstanceNetwork(instanceId, egress, clock);
    if (!(instance.networks instanceof NetworkPool)) {
      await instance[Symbol.asyncDispose]();
      throw new Error(`no networks here: ${JSON.stringify(instance.fact)}`);
    }
    return new NetworkBench(instanceId, clock, thread, instance, instance.networks);
  }

  open(): Promise<NamespaceNetwork> {
    return this.pool.open();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.instance[Symbol.asyncDispose]();
    this.thread[Symbol.dispose]();
  }
}

/** What a script printed that ran in a network as root: with more rights than any function has. */
export async function runInside(network: NamespaceNetwork, script: string): Promise<string> {
  const child = startInside(network, script);
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return printed.trim();
}

/** A script of Node.js in a network. It is killed when the test's process ends. */
export function startInside(
  network: NamespaceNetwork,
  script: string,
): ChildProcess & { readonly stdout: NonNullable<ChildProcess['stdout']> } {
  return network.spawnInside(() =>
    spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'inherit'] }),
  );
}

/**
 * A script that tells what comes of connecting to each of these: `open`, or an error's code;
 * `timeout` after two seconds.
 */
export function connectScript(targets: readonly (readonly [host: string, port: number])[]): string {
  return `const { connect } = require('node:net');
    const attempt = ([host, port]) => new Promise((resolve) => {
      const socket = connect({ host, port, autoSelectFamily: false });
      const end = (result) => { socket.destroy(); resolve(result); };
      socket.setTimeout(2_000, () => end('timeout'));
      socket.once('connect', () => end('open'));
      socket.once('error', (error) => end(error.code));
    });
    Promise.all(${JSON.stringify(targets)}.map(attempt)).then((results) =>
      console.log(JSON.stringify(results)));`;
}

/** Another machine on a network of the host: a network namespace, and a link to it. */
export class RemoteMachine implements AsyncDisposable {
  readonly address: string;
  /** Of the host, as the machine sees it. */
  readonly hostAddress: string;
  /** The host's link to it. */
  readonly link: string;
  readonly #thread: ThreadNetwork;
  readonly #namespace: number;
  readonly #servers: Server[] = [];
  readonly #sockets: DatagramSocket[] = [];

  private constructor(
    thread: ThreadNetwork,
    namespace: number,
    link: string,
    addresses: { readonly remote: string; readonly host: string },
  ) {
    this.#thread = thread;
    this.#namespace = namespace;
    this.link = link;
    this.address = addresses.remote;
    this.hostAddress = addresses.host;
  }

  static async create(): Promise<RemoteMachine> {
    const thread = new ThreadNetwork(await loadNetworkCalls());
    const namespace = thread.create();
    const link = `remote${randomBytes(4).toString('hex')}`;
    // Of the addresses for documentation, RFC 5737.
    const first = 4 * randomInt(64);
    const addresses = {
      host: `198.51.100.${first + 1}`,
      remote: `198.51.100.${first + 2}`,
    };
    using host = new NetlinkSocket(thread.calls);
    using remote = thread.inside(namespace, () => new NetlinkSocket(thread.calls));
    const peer = { name: 'eth0', index: 2, namespace };
    await host.request([createPair({ name: link, index: 0 }, peer)]);
    const { index = 0 } = (await linksHere(thread.calls)).find(({ name }) => name === link) ?? {};
    await host.request([addAddress(index, addresses.host, addresses.remote)]);
    await remote.request([
      bringUp(1),
      bringUp(2),
      addAddress(2, addresses.remote, addresses.host),
      addRoute('default', 2, addresses.host),
    ]);
    return new RemoteMachine(thread, namespace, link, addresses);
  }

  /** Listens; what connects is told the address that it comes from. */
  async listen(port: number): Promise<void> {
    const server = createServer((socket) => {
      socket.on('error', () => {});
      socket.end(socket.remoteAddress ?? '');
    });
    this.#servers.push(server);
    const at = { address: this.address, port };
    server.listen({
      fd: this.#thread.inside(this.#namespace, () => bindSocket(this.#thread.calls, 'tcp', at)),
    });
    await once(server, 'listening');
  }

  /** Calls `onMessage` with what comes by UDP, and where from. */
  async receive(port: number, onMessage: (text: string, from: string) => void): Promise<void> {
    const socket = createSocket('udp4', (message, { address }) => {
      onMessage(message.toString(), address);
    });
    this.#sockets.push(socket);
    const at = { address: this.address, port };
    socket.bind({
      fd: this.#thread.inside(this.#namespace, () => bindSocket(this.#thread.calls, 'udp', at)),
    });
    await once(socket, 'listening');
  }

  /** Runs a program there and gives what it printed; it may fail. */
  run(program: string, ...parameters: string[]): string {
    return this.#thread.inside(this.#namespace, () => {
      try {
        return execFileSync(program, parameters, { encoding: 'utf8', stdio: 'pipe' });
      } catch (error) {
        return String(error);
      }
    });
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
}

/** Everything of an instance's network that is left on the host. */
export async function networkTraces(instanceId: string): Promise<string[]> {
  const { link, table } = networkNames(instanceId);
  const links = await linksHere(await loadNetworkCalls());
  const tables = execFileSync('nft', ['list', 'tables'], { encoding: 'utf8' });
  const claims = listed('/run/hearth/networks').filter(
    (claim) => readlinkSync(claim) === instanceId,
  );
  const forwarding = listed('/run/hearth/forwarding').flatMap(listed);
  return [
    ...links.filter(({ name }) => name === link).map(({ name }) => name),
    ...tables.split('\n').filter((line) => line.includes(table)),
    ...claims,
    ...forwarding.filter((claim) => claim.endsWith(instanceId)),
  ];
}

/** Descriptors of this process that hold a network namespace or a socket. */
export function networkDescriptors(): string[] {
  return readdirSync('/proc/self/fd').flatMap((name) => {
    try {
      const target = readlinkSync(`/proc/self/fd/${name}`);
      return /^(net|socket):/.test(target) ? [`${name} ${target}`] : [];
    } catch {
      return [];
    }
  });
}

function listed(folder: string): string[] {
  try {
    return readdirSync(folder).map((name) => `${folder}/${name}`);
  } catch {
    return [];
  }
}
