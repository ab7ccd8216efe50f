import type { NetworkCalls } from '../../../system-calls/network-calls.ts';
import { uplinkRule } from './egress-rules.ts';
import { linksHere, routesHere } from './host-links.ts';
import { LINK_PREFIX, networkNames } from './instance-names.ts';
import { claimForwarding, forwardsByItself, releaseForwarding } from './ip-forwarding.ts';
import { LOOPBACK_INDEX } from './link-requests.ts';
import type { PacketFilter } from './packet-filter.ts';

const TABLE_LOCAL = 255;

/**
 * The host's links to other networks. What answers environments comes in by them, so packets that
 * come in by them must be allowed to be passed on; where they were not, Hearth allows it for that
 * link as long as it runs, and its packet filter sees to it that nothing else gets through.
 */
export class Uplinks implements Disposable {
  readonly #calls: NetworkCalls;
  readonly #filter: PacketFilter;
  readonly #instanceId: string;
  readonly #seen = new Set<string>();
  #looking: Promise<void> | undefined;

  constructor(calls: NetworkCalls, filter: PacketFilter, instanceId: string) {
    this.#calls = calls;
    this.#filter = filter;
    this.#instanceId = instanceId;
  }

  /** Sees to links that have a route and were not there before. Calls at one time share a look. */
  refresh(): Promise<void> {
    this.#looking ??= this.#look().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  [Symbol.dispose](): void {
    releaseForwarding(this.#instanceId);
  }

  async #look(): Promise<void> {
    const routes = await routesHere(this.#calls);
    const inUse = new Set(
      routes.filter(({ table }) => table !== TABLE_LOCAL).map(({ linkIndex }) => linkIndex),
    );
    for (const { name, index } of await linksHere(this.#calls)) {
      // A link that comes again under its name has another number, and the settings of a new one.
      const key = `${index} ${name}`;
      if (!inUse.has(index) || index === LOOPBACK_INDEX || this.#seen.has(key)) continue;
      if (name.startsWith(LINK_PREFIX) || !/^[\w.@-]+$/.test(name)) continue;
      await this.#use(name);
      this.#seen.add(key);
    }
  }

  async #use(link: string): Promise<void> {
    if (forwardsByItself(link)) return;
    // The rule first: there is no moment at which anything else gets through.
    await this.#filter.apply(uplinkRule(networkNames(this.#instanceId).table, link));
    claimForwarding(this.#instanceId, link);
  }
}
