import { closeSync, readFileSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import type { Clock, Timer } from '../../../clock/clock.ts';
import { SandboxError } from '../../sandbox.ts';
import type { SandboxNetworks } from '../sandbox-networks.ts';
import type { EgressRouter, GuestLink } from './egress-router.ts';
import { addAddress, bringUp, LOOPBACK_INDEX } from './link-requests.ts';
import { NamespaceNetwork, SERVED_ADDRESS } from './namespace-network.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { setNetworkSettings } from './network-settings.ts';
import type { ThreadNetwork } from './thread-network.ts';

/** Namespaces that are made ahead. */
const AHEAD = 16;
/** Namespaces without an environment that are kept, those that connections linger in included. */
const MAX_IDLE = 128;
/**
 * When what has been given back is looked at again: the kernel takes sockets away a little after
 * they are closed, and remembers a connection that has ended for 60 s.
 */
const LOOK_AGAIN_AFTER_MS = [1_000, 65_000] as const;
const REFRESH_MS = 10_000;

const GUEST_SETTINGS = {
  // Links that come later have none; `lo`, which is there already, keeps ::1.
  'ipv6/conf/default/disable_ipv6': '1',
  // The next environment would find the addresses that the one before has talked to.
  'ipv4/tcp_no_metrics_save': '1',
};

/** A network namespace and its way out. */
interface PooledNamespace {
  /** Descriptor. */
  readonly namespace: number;
  /** Undefined where environments have no egress. */
  readonly link: GuestLink | undefined;
}

/** A namespace that an environment has given back. */
interface ReturnedNamespace extends PooledNamespace {
  /** How often it has been looked at. */
  readonly looks: number;
}

/**
 * Network namespaces for environments. They are made ahead, as making one takes the kernel a
 * millisecond, and longer when others go, and given to the next environment once nothing is left of
 * the one before: no socket in any state, and with another address. Of the one before, the next sees
 * no more than how many packets there have been.
 */
export class NetworkPool implements SandboxNetworks {
  readonly #thread: ThreadNetwork;
  readonly #egress: EgressRouter | undefined;
  readonly #clock: Clock;
  readonly #ready: PooledNamespace[] = [];
  readonly #returned: ReturnedNamespace[] = [];
  readonly #lingering = new Map<PooledNamespace, Timer>();
  readonly #inUse = new Set<NamespaceNetwork>();
  readonly #making = new Set<Promise<PooledNamespace>>();
  #maintenance: Promise<void> | undefined;
  #refreshedAtMs: number;
  #closed = false;

  /** @param egress undefined where environments reach nothing; its owner disposes it after the pool */
  constructor(thread: ThreadNetwork, egress: EgressRouter | undefined, clock: Clock) {
    this.#thread = thread;
    this.#egress = egress;
    this.#clock = clock;
    this.#refreshedAtMs = clock.monotonicMs();
  }

  /** A network for one sandbox. Rejects, and leaves nothing behind, where none can be made. */
  async open(): Promise<NamespaceNetwork> {
    this.#checkOpen();
    const pooled = this.#ready.pop() ?? (await this.#makeNow());
    const network = new NamespaceNetwork(this.#thread, pooled.namespace, () => {
      this.#inUse.delete(network);
      this.#returned.push({ ...pooled, looks: 0 });
      this.#maintain();
    });
    this.#inUse.add(network);
    this.#maintain();
    return network;
  }

  /** Settles when as many are ready as are made ahead, and what was given back is looked at. */
  async settled(): Promise<void> {
    this.#maintain();
    while (this.#maintenance !== undefined) await this.#maintenance;
  }

  /** Numbers of the namespaces that wait for an environment, and for connections to be forgotten. */
  get idle(): { readonly ready: number; readonly lingering: number } {
    return { ready: this.#ready.length, lingering: this.#lingering.size };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#closed = true;
    await Promise.allSettled([this.#maintenance, ...this.#making]);
    await Promise.all([...this.#inUse].map((network) => network[Symbol.asyncDispose]()));
    for (const timer of this.#lingering.values()) timer.cancel();
    for (const pooled of [...this.#ready, ...this.#returned, ...this.#lingering.keys()]) {
      this.#discard(pooled);
    }
    this.#ready.length = 0;
    this.#returned.length = 0;
    this.#lingering.clear();
  }

  #maintain(): void {
    if (!this.#closed) this.#maintenance ??= this.#work();
  }

  /** One thing at a time: environments that start have the machine first. Never rejects. */
  async #work(): Promise<void> {
    try {
      // Not before who has just been given a network goes on with it.
      await setImmediate();
      await this.#refresh();
      while (!this.#closed) {
        const returned = this.#returned.shift();
        if (returned !== undefined) await this.#recycle(returned);
        else if (this.#ready.length < AHEAD) this.#ready.push(await this.#make());
        else return;
      }
    } catch {
      // The next sandbox tries by itself, and fails with the reason.
    } finally {
      this.#maintenance = undefined;
    }
  }

  /** Now and then: the host may have got another network. */
  async #refresh(): Promise<void> {
    const nowMs = this.#clock.monotonicMs();
    if (nowMs - this.#refreshedAtMs < REFRESH_MS) return;
    this.#refreshedAtMs = nowMs;
    await this.#egress?.refresh();
  }

  /** For who waits for it. What it uses must not be closed before it is done. */
  async #makeNow(): Promise<PooledNamespace> {
    const making = this.#make();
    this.#making.add(making);
    try {
      const pooled = await making;
      if (this.#closed) this.#discard(pooled);
      this.#checkOpen();
      return pooled;
    } finally {
      this.#making.delete(making);
    }
  }

  #checkOpen(): void {
    if (this.#closed) {
      throw new SandboxError('Cannot give out a network as the server is ending');
    }
  }

  async #make(): Promise<PooledNamespace> {
    const { calls } = this.#thread;
    let namespace: number | undefined;
    try {
      namespace = this.#thread.create();
      using netlink = this.#thread.inside(namespace, () => {
        setNetworkSettings(GUEST_SETTINGS);
        return new NetlinkSocket(calls);
      });
      await netlink.request([bringUp(LOOPBACK_INDEX), addAddress(LOOPBACK_INDEX, SERVED_ADDRESS)]);
      return { namespace, link: await this.#egress?.attach(namespace, netlink) };
    } catch (error) {
      if (namespace !== undefined) closeSync(namespace);
      throw new SandboxError(`Cannot make a network: ${String(error)}`, { cause: error });
    }
  }

  /** Makes a namespace ready for another environment, or does away with it. */
  async #recycle({ namespace, link, looks }: ReturnedNamespace): Promise<void> {
    const pooled: PooledNamespace = { namespace, link };
    const isFull = this.#ready.length + this.#lingering.size >= MAX_IDLE;
    const isEmpty = this.#thread.inside(namespace, hasNoSockets);
    const lookAgainAfterMs = LOOK_AGAIN_AFTER_MS[looks];
    if (isEmpty && !isFull) {
      const renewed = await this.#renew(pooled);
      this.#ready.push(renewed);
    } else if (isFull || lookAgainAfterMs === undefined) {
      this.#discard(pooled);
    } else {
      const timer = this.#clock.startTimer(lookAgainAfterMs, () => {
        this.#lingering.delete(pooled);
        this.#returned.push({ ...pooled, looks: looks + 1 });
        this.#maintain();
      });
      this.#lingering.set(pooled, timer);
    }
  }

  async #renew({ namespace, link }: PooledNamespace): Promise<PooledNamespace> {
    if (this.#egress === undefined || link === undefined) return { namespace, link };
    try {
      return { namespace, link: await this.#egress.renew(link, namespace) };
    } catch (error) {
      closeSync(namespace);
      throw error;
    }
  }

  #discard({ namespace, link }: PooledNamespace): void {
    closeSync(namespace);
    if (link !== undefined) this.#egress?.release(link);
  }
}

/** Whether the network namespace that the thread is in has no socket, not even one that lingers. */
function hasNoSockets(): boolean {
  return isWithoutSockets(readFileSync('/proc/thread-self/net/sockstat', 'latin1'));
}

/**
 * @param sockstat content of `/proc/net/sockstat`: all sockets in the first line, those of TCP that
 * wait after their end as `tw`
 */
export function isWithoutSockets(sockstat: string): boolean {
  const used = /^sockets: used (\d+)$/m.exec(sockstat)?.[1];
  const waiting = /^TCP: .* tw (\d+)/m.exec(sockstat)?.[1];
  return used === '0' && waiting === '0';
}
