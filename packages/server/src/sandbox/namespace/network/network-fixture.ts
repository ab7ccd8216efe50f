import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { existsSync, readdirSync, readlinkSync } from 'node:fs';
import { basename } from 'node:path';
import { text } from 'node:stream/consumers';
import { ManualClock } from '../../../clock/manual-clock.ts';
import { loadNetworkCalls } from '../../../system-calls/network-calls.ts';
import { createMountRoot } from '../mount-folder.ts';
import type { SpawnScope } from '../spawn-scope.ts';
import { findProgram } from '../sandbox-programs.ts';
import { addressClaims, formatAddress, parseAddress } from './address-range.ts';
import { linksHere } from './host-links.ts';
import { type InstanceNetwork, openInstanceNetwork } from './instance-network.ts';
import { networkNames } from './instance-names.ts';
import type { NamespaceNetwork } from './namespace-network.ts';
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
  readonly #owned = new AsyncDisposableStack();

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
    this.#owned.use(thread);
    this.#owned.use(instance);
  }

  static async open(egress: EgressChoice): Promise<NetworkBench> {
    createMountRoot();
    const instanceId = randomBytes(6).toString('hex');
    const clock = new ManualClock();
    const thread = new ThreadNetwork(await loadNetworkCalls());
    const instance = await openInstanceNetwork(instanceId, egress, clock);
    const how = instance.fact.enforced ? instance.fact.how : undefined;
    const isAsWanted = how?.startsWith(`a network of its own, egress ${egress}`) === true;
    if (!(instance.networks instanceof NetworkPool) || !isAsWanted) {
      await instance[Symbol.asyncDispose]();
      thread[Symbol.dispose]();
      throw new Error(`no such networks here: ${JSON.stringify(instance.fact)}`);
    }
    return new NetworkBench(instanceId, clock, thread, instance, instance.networks);
  }

  /** Addresses of the environments, of the host's end and of the router's, as the claim tells. */
  get range(): { readonly text: string; readonly host: string; readonly gateway: string } {
    const [claim] = addressClaims(this.instanceId);
    if (claim === undefined) throw new Error('the instance has no addresses');
    const first = basename(claim);
    const [host, gateway] = [1, 2].map((offset) => formatAddress(parseAddress(first) + offset));
    return { text: `${first}/18`, host: host ?? '', gateway: gateway ?? '' };
  }

  open(): Promise<NamespaceNetwork> {
    return this.pool.open();
  }

  /** Repeated calls do nothing. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

/** What a script printed that ran in a network as root: with more rights than any function has. */
export async function runInside(network: SpawnScope, script: string): Promise<string> {
  const child = startInside(network, script);
  const [printed] = await Promise.all([text(child.stdout), once(child, 'exit')]);
  return printed.trim();
}

/** A script of Node.js in a network. It is killed when the test's process ends. */
export function startInside(
  network: SpawnScope,
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

/** Everything of an instance's network that is left on the host. */
export async function networkTraces(instanceId: string): Promise<string[]> {
  const { link, table } = networkNames(instanceId);
  const links = await linksHere(await loadNetworkCalls());
  const tables = runFilter(['list', 'tables']);
  const claims = addressClaims(instanceId);
  const forwarding = listed('/run/hearth/forwarding').flatMap(listed);
  return [
    ...links.filter(({ name }) => name === link).map(({ name }) => name),
    ...tables.split('\n').filter((line) => line.includes(table)),
    ...claims,
    ...forwarding.filter((claim) => claim.endsWith(instanceId)),
  ];
}

/** What the packet filter's program prints on the host. */
export function runFilter(parameters: readonly string[], input = ''): string {
  const options = { encoding: 'utf8', input } as const;
  return execFileSync(findProgram('nft', 'nftables'), parameters, options);
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
