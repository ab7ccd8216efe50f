import { closeSync, unlinkSync } from 'node:fs';
import type { Clock } from '../../../clock/clock.ts';
import { SystemCallError } from '../../../system-calls/linux-system-calls.ts';
import { loadNetworkCalls } from '../../../system-calls/network-calls.ts';
import type { EnforcementFact } from '../../enforcement-facts.ts';
import { findProgram } from '../sandbox-programs.ts';
import { HostNetworks, type SandboxNetworks } from '../sandbox-networks.ts';
import { addressClaims } from './address-range.ts';
import { EgressRouter } from './egress-router.ts';
import { linksHere } from './host-links.ts';
import { networkNames } from './instance-names.ts';
import { releaseForwarding } from './ip-forwarding.ts';
import { deleteLink } from './link-requests.ts';
import { NameRelay } from './name-relay.ts';
import { nameService } from './name-servers.ts';
import { NetlinkSocket } from './netlink-socket.ts';
import {
  type EgressChoice,
  noEgressFact,
  obstructedEgressFact,
  ownNetworkFact,
  sharedNetworkFact,
} from './network-facts.ts';
import { NetworkPool } from './network-pool.ts';
import { PacketFilter } from './packet-filter.ts';
import { ThreadNetwork } from './thread-network.ts';

/** The networks of an instance's sandboxes, and what to tell people about them. */
export interface InstanceNetwork extends AsyncDisposable {
  readonly networks: SandboxNetworks;
  readonly fact: EnforcementFact;
  /** What the resolv.conf of sandboxes holds, from the host's; called again when that has changed. */
  resolverFile(hostFile: string): string;
}

/** How sandboxes get out, where they do. */
interface WayOut {
  readonly fact: EnforcementFact;
  readonly router: EgressRouter | undefined;
  resolverFile(hostFile: string): string;
}

const NO_NAMES = '# There is no egress, so no name server either.\n';

/** All sandboxes on the host's own network. */
export function sharedNetwork(wanted: EgressChoice, reason: string): InstanceNetwork {
  const networks = new HostNetworks();
  return {
    networks,
    fact: sharedNetworkFact(wanted, reason),
    resolverFile: (hostFile) => hostFile,
    [Symbol.asyncDispose]: () => networks[Symbol.asyncDispose](),
  };
}

/**
 * Prepares networks for the sandboxes of an instance, as root. Where the machine allows none,
 * sandboxes get the host's; where it allows no safe way out, they get none.
 */
export async function openInstanceNetwork(
  instanceId: string,
  wanted: EgressChoice,
  clock: Clock,
): Promise<InstanceNetwork> {
  await using owned = new AsyncDisposableStack();
  const thread = owned.use(new ThreadNetwork(await loadNetworkCalls()));
  try {
    closeSync(thread.create());
  } catch (error) {
    return sharedNetwork(wanted, `the server may not make networks: ${reasonOf(error)}`);
  }
  const way =
    wanted === 'none'
      ? noWayOut(ownNetworkFact('none'))
      : await openWayOut(thread, instanceId, clock, owned);
  const networks = owned.use(new NetworkPool(thread, way.router, clock));
  const kept = owned.move();
  return {
    networks,
    fact: way.fact,
    resolverFile: (hostFile) => way.resolverFile(hostFile),
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

/** Takes away what a server that was killed has left on the host. */
export async function removeInstanceNetwork(instanceId: string): Promise<void> {
  const claims = addressClaims(instanceId);
  if (claims.length === 0) return;
  using thread = new ThreadNetwork(await loadNetworkCalls());
  const { link, table } = networkNames(instanceId);
  releaseForwarding(instanceId);
  // The kernel takes it away with the router, but not at once.
  if ((await linksHere(thread.calls)).some(({ name }) => name === link)) {
    using netlink = new NetlinkSocket(thread.calls);
    await netlink.request([deleteLink(link)]).catch(ignoreAbsence);
  }
  await new PacketFilter(findProgram('nft', 'nftables'), thread).removeTable(table);
  // Last: what fails is tried again by the next sweep.
  for (const claim of claims) unlinkSync(claim);
}

async function openWayOut(
  thread: ThreadNetwork,
  instanceId: string,
  clock: Clock,
  owned: AsyncDisposableStack,
): Promise<WayOut> {
  try {
    await using opened = new AsyncDisposableStack();
    const filter = new PacketFilter(findProgram('nft', 'nftables'), thread);
    const chains = await filter.chainsThatDrop();
    const router = opened.use(await EgressRouter.open(thread, filter, instanceId));
    const { gateway } = router.range;
    const relay = opened.use(await NameRelay.open(thread, router.namespace, gateway, clock));
    owned.use(opened.move());
    return {
      fact: chains.length === 0 ? ownNetworkFact('internet') : obstructedEgressFact(chains),
      router,
      resolverFile(hostFile) {
        const service = nameService(hostFile, gateway);
        relay.servers = service.relayTo;
        return service.resolverFile;
      },
    };
  } catch (error) {
    return noWayOut(noEgressFact(reasonOf(error)));
  }
}

function noWayOut(fact: EnforcementFact): WayOut {
  return { fact, router: undefined, resolverFile: () => NO_NAMES };
}

function ignoreAbsence(error: unknown): void {
  if (!(error instanceof SystemCallError) || error.code !== 'ENODEV') throw error;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
