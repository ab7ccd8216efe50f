import { closeSync } from 'node:fs';
import { AddressRange } from './address-range.ts';
import { hostRules, ROUTER_LINK_PREFIX, ROUTER_UPLINK, routerRules } from './egress-rules.ts';
import { linksHere, routesHere } from './host-links.ts';
import { networkNames } from './instance-names.ts';
import {
  addAddress,
  addRoute,
  bringUp,
  createPair,
  deleteAddress,
  deleteLink,
  deleteRoute,
  LOOPBACK_INDEX,
} from './link-requests.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import { setNetworkSettings } from './network-settings.ts';
import type { PacketFilter } from './packet-filter.ts';
import type { ThreadNetwork } from './thread-network.ts';
import { Uplinks } from './uplinks.ts';

const UPLINK_INDEX = 2;
/** Links to environments have this index and higher ones, each once. */
const FIRST_LINK_INDEX = 10;
const GUEST_LINK = { name: 'eth0', index: 2 };

/** Answers are for who asks at any of the addresses, and a source must be where answers would go. */
const ROUTER_SETTINGS = {
  'ipv6/conf/all/disable_ipv6': '1',
  'ipv6/conf/default/disable_ipv6': '1',
  'ipv4/conf/all/arp_ignore': '0',
  'ipv4/conf/default/arp_ignore': '0',
  'ipv4/conf/all/rp_filter': '1',
  'ipv4/conf/all/accept_source_route': '0',
  'ipv4/conf/all/send_redirects': '0',
  'ipv4/conf/default/send_redirects': '0',
  'ipv4/ip_forward': '1',
};

/** An environment's way out. It goes with the environment's network namespace. */
export interface GuestLink {
  /** In the router. */
  readonly index: number;
  readonly address: string;
}

/**
 * The way from environments to the outside: a network namespace of the instance that routes between
 * them and one link of the host. It has no process, so all of it goes when the server does, however
 * that ends; what is left on the host are rules and settings, which `removeInstanceNetwork` knows.
 */
export class EgressRouter implements AsyncDisposable {
  readonly range: AddressRange;
  /** Descriptor of the router's network namespace. */
  readonly namespace: number;
  readonly #thread: ThreadNetwork;
  readonly #netlink: NetlinkSocket;
  readonly #uplinks: Uplinks;
  readonly #owned: AsyncDisposableStack;
  #nextIndex = FIRST_LINK_INDEX;

  private constructor(
    thread: ThreadNetwork,
    range: AddressRange,
    namespace: number,
    netlink: NetlinkSocket,
    uplinks: Uplinks,
    owned: AsyncDisposableStack,
  ) {
    this.#thread = thread;
    this.range = range;
    this.namespace = namespace;
    this.#netlink = netlink;
    this.#uplinks = uplinks;
    this.#owned = owned;
  }

  /** Rejects, and leaves nothing behind, where the machine does not allow it. */
  static async open(
    thread: ThreadNetwork,
    filter: PacketFilter,
    instanceId: string,
  ): Promise<EgressRouter> {
    await using owned = new AsyncDisposableStack();
    const { link, table } = networkNames(instanceId);
    const host = owned.use(new NetlinkSocket(thread.calls));
    const range = owned.use(AddressRange.claim(instanceId, await routesHere(thread.calls)));
    const namespace = thread.create();
    owned.defer(() => closeSync(namespace));
    const netlink = owned.use(
      thread.inside(namespace, () => {
        setNetworkSettings(ROUTER_SETTINGS);
        return new NetlinkSocket(thread.calls);
      }),
    );
    // The rules first: there is no moment at which a link has none.
    await loadHostRules(filter, { table, link, range: range.text });
    owned.defer(() => filter.removeTable(table));
    await filter.apply(routerRules({ gateway: range.gateway, range: range.text }), namespace);
    const uplink = { name: ROUTER_UPLINK, index: UPLINK_INDEX };
    await host.request([createPair({ name: link, index: 0 }, { ...uplink, namespace })]);
    owned.defer(() => host.request([deleteLink(link)]));
    setNetworkSettings({
      [`ipv6/conf/${link}/disable_ipv6`]: '1',
      [`ipv4/conf/${link}/accept_source_route`]: '0',
      [`ipv4/conf/${link}/accept_redirects`]: '0',
      [`ipv4/conf/${link}/route_localnet`]: '0',
      [`ipv4/conf/${link}/forwarding`]: '1',
    });
    await netlink.request([
      bringUp(LOOPBACK_INDEX),
      bringUp(UPLINK_INDEX),
      addAddress(UPLINK_INDEX, range.gateway, range.host),
      addRoute('default', UPLINK_INDEX, range.host),
    ]);
    const { index } = (await linksHere(thread.calls)).find(({ name }) => name === link) ?? {};
    if (index === undefined) throw new Error(`the link ${link} is gone`);
    await host.request([
      addAddress(index, range.host, range.gateway),
      addRoute(range.text, index, range.gateway),
    ]);
    const uplinks = owned.use(new Uplinks(thread.calls, filter, instanceId));
    await uplinks.refresh();
    return new EgressRouter(thread, range, namespace, netlink, uplinks, owned.move());
  }

  /** Joins an environment's namespace, whose messages go by `guest`, to the router. */
  async attach(namespace: number, guest: NetlinkSocket): Promise<GuestLink> {
    const index = this.#nextIndex;
    this.#nextIndex += 1;
    const address = this.range.acquire();
    try {
      const name = `${ROUTER_LINK_PREFIX}${index}`;
      await this.#netlink.request([
        createPair({ name, index }, { ...GUEST_LINK, namespace }),
        addRoute(`${address}/32`, index),
      ]);
      await guest.request([
        bringUp(GUEST_LINK.index),
        addAddress(GUEST_LINK.index, address),
        addRoute(`${this.range.gateway}/32`, GUEST_LINK.index),
        addRoute('default', GUEST_LINK.index, this.range.gateway),
      ]);
      return { index, address };
    } catch (error) {
      this.range.release(address);
      throw error;
    }
  }

  /**
   * Gives an environment's namespace another address: what is still on its way to the one before
   * arrives nowhere. The old address is free afterwards, even where this rejects.
   */
  async renew(link: GuestLink, namespace: number): Promise<GuestLink> {
    const address = this.range.acquire();
    using guest = this.#thread.inside(namespace, () => new NetlinkSocket(this.#thread.calls));
    try {
      // With its last address a link would lose its routes, too.
      await guest.request([
        addAddress(GUEST_LINK.index, address),
        deleteAddress(GUEST_LINK.index, link.address),
      ]);
      await this.#netlink.request([
        deleteRoute(`${link.address}/32`, link.index),
        addRoute(`${address}/32`, link.index),
      ]);
      return { index: link.index, address };
    } catch (error) {
      this.range.release(address);
      throw error;
    } finally {
      this.range.release(link.address);
    }
  }

  /** Called once the namespace that the link leads to is closed. */
  release(link: GuestLink): void {
    this.range.release(link.address);
  }

  /** Sees to links that the host has got since; cheap. */
  refresh(): Promise<void> {
    return this.#uplinks.refresh();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}

async function loadHostRules(
  filter: PacketFilter,
  rules: { readonly table: string; readonly link: string; readonly range: string },
): Promise<void> {
  try {
    await filter.apply(hostRules({ ...rules, refusal: 'refuse' }));
  } catch {
    await filter.apply(hostRules({ ...rules, refusal: 'drop' }));
  }
}
