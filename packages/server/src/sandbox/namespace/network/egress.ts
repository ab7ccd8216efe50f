import { LINK_PREFIX } from './instance-names.ts';

/** Where functions may connect to: the outside, or nothing but what the server serves them. */
export type EgressChoice = 'internet' | 'none';

/** Whether functions reach the outside, as `hearth doctor` tells it. */
export interface EgressState {
  /** What functions have, which is not always what was asked for. */
  readonly granted: EgressChoice;
  /** Why it is not what was asked for, or what may stand in its way; undefined where all is well. */
  readonly problem: string | undefined;
  /** What to do about it, as an order. */
  readonly remedy: string | undefined;
}

/** As it was asked for. */
export function egressAsWanted(granted: EgressChoice): EgressState {
  return { granted, problem: undefined, remedy: undefined };
}

/** Without a filter of packets a function would reach the host and its neighbours: it gets none. */
export function egressRefused(problem: string): EgressState {
  return {
    granted: 'none',
    problem: `no packets can be let out safely: ${problem}`,
    remedy: 'install the package nftables (apt-get install nftables) and start Hearth again',
  };
}

/**
 * Where functions are on the host's own network.
 *
 * @param remedy what would give them one of their own
 */
export function egressUnfiltered(wanted: EgressChoice, remedy: string | undefined): EgressState {
  const problem =
    wanted === 'none'
      ? "functions share the host's network, so --egress none has no effect"
      : "functions share the host's network, so they also reach what only the host should";
  return { granted: 'internet', problem, remedy };
}

/**
 * @param chains of other packet filters that drop what no rule of theirs lets pass
 */
export function egressAcross(chains: readonly string[]): EgressState {
  if (chains.length === 0) return egressAsWanted('internet');
  const links = `${LINK_PREFIX}+`;
  return {
    granted: 'internet',
    problem: `another packet filter may drop what functions send (${chains.join(', ')})`,
    remedy: `iptables -I FORWARD -i ${links} -j ACCEPT; iptables -I FORWARD -o ${links} -m conntrack --ctstate ESTABLISHED,RELATED -j ACCEPT`,
  };
}
