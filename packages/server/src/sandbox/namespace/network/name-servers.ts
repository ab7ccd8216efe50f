import { networkInterfaces } from 'node:os';
import { isIPv4, isIP } from 'node:net';
import { parseAddress } from './address-range.ts';
import { BLOCKED_ADDRESSES } from './egress-rules.ts';

/** How environments find names: what is in their resolv.conf, and whom the relay asks. */
export interface NameService {
  readonly resolverFile: string;
  /** Addresses of the host's name servers; empty where environments ask them by themselves. */
  readonly relayTo: readonly string[];
}

/** The kernel's file may name any number; programs use three. */
const MAX_SERVERS = 3;
/** Whom programs ask where a resolv.conf names nobody. */
const DEFAULT_SERVER = '127.0.0.1';

/**
 * What to make of the host's resolv.conf. Name servers that environments can reach are kept. Others,
 * those on the host itself above all, are asked by a relay at `relay`.
 *
 * @param ownAddresses of the host
 */
export function nameService(
  hostFile: string,
  relay: string,
  ownAddresses: ReadonlySet<string> = addressesOfHost(),
): NameService {
  const lines = hostFile.split('\n');
  const servers = lines
    .flatMap((line) => /^\s*nameserver\s+(\S+)/.exec(line)?.[1] ?? [])
    .filter((server) => isIP(server) !== 0)
    .slice(0, MAX_SERVERS);
  const others = lines.filter((line) => /^\s*(search|domain|options)\s/.test(line));
  const reachable = servers.filter(
    (server) => isIPv4(server) && !ownAddresses.has(server) && !isBlocked(server),
  );
  const named = reachable.length > 0 ? reachable : [relay];
  const resolverFile = [...named.map((server) => `nameserver ${server}`), ...others, ''].join('\n');
  if (reachable.length > 0) return { resolverFile, relayTo: [] };
  return { resolverFile, relayTo: servers.length > 0 ? servers : [DEFAULT_SERVER] };
}

function addressesOfHost(): ReadonlySet<string> {
  return new Set(
    Object.values(networkInterfaces())
      .flat()
      .flatMap((entry) => entry?.address ?? []),
  );
}

function isBlocked(server: string): boolean {
  const address = parseAddress(server);
  return BLOCKED_ADDRESSES.some((range) => {
    const [first = '', length = ''] = range.split('/');
    const size = 2 ** (32 - Number(length));
    const start = parseAddress(first);
    return address >= start && address < start + size;
  });
}
