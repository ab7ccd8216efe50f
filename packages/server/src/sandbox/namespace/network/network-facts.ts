import type { EnforcementFact } from '../../enforcement-facts.ts';
import { LINK_PREFIX } from './instance-names.ts';

/** Where functions may connect to: the outside, or nothing but what the server serves them. */
export type EgressChoice = 'internet' | 'none';

const AS_ROOT = 'start Hearth as root, with the capabilities CAP_SYS_ADMIN and CAP_NET_ADMIN';
const INSTALL_NFT = 'install the package nftables (apt-get install nftables), start Hearth again';

/** Functions are on the host's own network. */
export function sharedNetworkFact(wanted: EgressChoice, reason: string): EnforcementFact {
  const consequence = "functions share the host's network";
  const ignored = wanted === 'none' ? ', and --egress none has no effect' : '';
  return {
    property: 'network',
    enforced: false,
    reason: `${reason}: ${consequence}${ignored}`,
    remedy: AS_ROOT,
  };
}

/** Each function has a network of its own, and what was asked for. */
export function ownNetworkFact(egress: EgressChoice): EnforcementFact {
  return { property: 'network', enforced: true, how: `a network of its own, egress ${egress}` };
}

/**
 * Each function has a network of its own without a way out, although one was asked for: without a
 * filter of packets it would lead to the host and its neighbours, too.
 */
export function noEgressFact(reason: string): EnforcementFact {
  return {
    property: 'network',
    enforced: true,
    how: `a network of its own, egress none as packets cannot be filtered: ${reason}`,
    remedy: INSTALL_NFT,
  };
}

/**
 * Each function has a network of its own, and a way out on which others may drop what it sends.
 *
 * @param chains of other packet filters that drop what no rule of theirs lets pass
 */
export function obstructedEgressFact(chains: readonly string[]): EnforcementFact {
  const links = `${LINK_PREFIX}+`;
  return {
    property: 'network',
    enforced: true,
    how: `a network of its own, egress internet, which other packet filters may drop: ${chains.join(', ')}`,
    remedy: `iptables -I FORWARD -i ${links} -j ACCEPT; iptables -I FORWARD -o ${links} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
  };
}
