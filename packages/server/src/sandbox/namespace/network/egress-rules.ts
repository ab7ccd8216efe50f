import { LINK_PREFIX } from './instance-names.ts';

/**
 * Addresses that no environment reaches: this network and loopback, link-local with the metadata of
 * AWS, Google and Azure (169.254.169.254) and the credentials of ECS (169.254.170.2), the metadata of
 * Alibaba (100.100.100.200) and Oracle (192.0.0.192), Azure's host (168.63.129.16), and everything
 * that is meant for many.
 */
export const BLOCKED_ADDRESSES = [
  '0.0.0.0/8',
  '127.0.0.0/8',
  '169.254.0.0/16',
  '100.100.100.200/32',
  '192.0.0.192/32',
  '168.63.129.16/32',
  '224.0.0.0/3',
] as const;

/** Connections that one environment may have to the outside at a time, as the host counts them. */
const CONNECTIONS = 1_024;
/** Questions for names that one environment may ask in a second. */
const NAME_QUERIES_PER_SECOND = 200;

export interface HostRules {
  readonly table: string;
  /** The host's link to the router. */
  readonly link: string;
  /** Addresses of the instance's environments. */
  readonly range: string;
  /** What is done with what is meant for the host; before Linux 5.9 it cannot be refused there. */
  readonly refusal: 'refuse' | 'drop';
}

/** TCP is refused by a reset: of other answers, which go by ICMP, the kernel sends a few a second. */
const REFUSE_CHAIN = `chain refuse {
    meta l4proto tcp reject with tcp reset
    reject
  }`;

/**
 * The filter on the host. It sees only what comes from, or goes to, the instance's environments, and
 * what comes in by links whose forwarding Hearth has turned on.
 *
 * What is meant for the host is refused before any rule of the host can send it elsewhere: a port
 * that is published for a container is the host's, too.
 */
export function hostRules({ table, link, range, refusal }: HostRules): string {
  const refused = refusal === 'refuse' ? 'jump refuse' : 'drop';
  return `table inet ${table} {
  ${REFUSE_CHAIN}
  set uplinks {
    type ifname
  }
  set connections {
    type ipv4_addr
    size 65536
    flags dynamic
  }
  chain prerouting {
    type filter hook prerouting priority raw; policy accept;
    iifname != "${link}" accept
    meta nfproto != ipv4 drop
    ip saddr != ${range} drop
    ip daddr { ${BLOCKED_ADDRESSES.join(', ')}, ${range} } ${refused}
    fib daddr type != unicast ${refused}
  }
  chain input {
    type filter hook input priority filter; policy accept;
    iifname "${link}" drop
  }
  chain forward {
    type filter hook forward priority filter; policy accept;
    oifname "${link}" ct state established,related accept
    oifname "${link}" jump refuse
    iifname "${link}" oifname "${LINK_PREFIX}*" jump refuse
    iifname "${link}" ct state new add @connections { ip saddr ct count over ${CONNECTIONS} } jump refuse
    iifname "${link}" accept
    iifname @uplinks ct state established,related accept
    iifname @uplinks ct status dnat accept
    iifname @uplinks drop
  }
  chain postrouting {
    type nat hook postrouting priority srcnat; policy accept;
    ip saddr ${range} oifname != "${link}" masquerade
  }
}
`;
}

/** A link that would pass nothing on if Hearth had not turned it on passes on only what it must. */
export function uplinkRule(table: string, link: string): string {
  return `add element inet ${table} uplinks { "${link}" }\n`;
}

/** What the router calls its link to the host, and how its links to environments begin. */
export const ROUTER_UPLINK = 'host';
export const ROUTER_LINK_PREFIX = 'e';

/** The filter of the router: environments reach the host's side and the name server, not each other. */
export function routerRules({ gateway, range }: { gateway: string; range: string }): string {
  const queries = `add @queries { ip saddr limit rate over ${NAME_QUERIES_PER_SECOND}/second burst 400 packets } drop`;
  return `table inet router {
  ${REFUSE_CHAIN}
  set queries {
    type ipv4_addr
    size 65536
    flags dynamic
  }
  chain input {
    type filter hook input priority filter; policy drop;
    iifname "lo" accept
    iifname "${ROUTER_LINK_PREFIX}*" ip daddr ${gateway} udp dport 53 ${queries}
    iifname "${ROUTER_LINK_PREFIX}*" ip daddr ${gateway} tcp dport 53 tcp flags syn / syn,ack ${queries}
    iifname "${ROUTER_LINK_PREFIX}*" ip daddr ${gateway} meta l4proto { tcp, udp } th dport 53 accept
    iifname "${ROUTER_LINK_PREFIX}*" jump refuse
  }
  chain forward {
    type filter hook forward priority filter; policy drop;
    ip daddr { ${BLOCKED_ADDRESSES.join(', ')} } jump refuse
    iifname "${ROUTER_UPLINK}" oifname "${ROUTER_LINK_PREFIX}*" accept
    ip daddr ${range} jump refuse
    iifname "${ROUTER_LINK_PREFIX}*" oifname "${ROUTER_UPLINK}" accept
  }
}
`;
}
