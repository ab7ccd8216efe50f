import {
  attribute,
  type NetlinkRequest,
  numberAttribute,
  parseAttributes,
  textAttribute,
} from './netlink-message.ts';

/** Index of `lo` in every namespace. */
export const LOOPBACK_INDEX = 1;

const RTM_NEWLINK = 16;
const RTM_DELLINK = 17;
const RTM_GETLINK = 18;
const RTM_NEWADDR = 20;
const RTM_DELADDR = 21;
const RTM_NEWROUTE = 24;
const RTM_DELROUTE = 25;
const RTM_GETROUTE = 26;

const CREATE = 0x400;
const EXCLUSIVE = 0x200;

const AF_INET = 2;
const IFF_UP = 1;
const IFLA_IFNAME = 3;
const IFLA_LINKINFO = 18;
const IFLA_NET_NS_FD = 28;
const IFLA_NUM_TX_QUEUES = 31;
const IFLA_NUM_RX_QUEUES = 32;
const IFLA_INFO_KIND = 1;
const IFLA_INFO_DATA = 2;
const VETH_INFO_PEER = 1;
const IFA_ADDRESS = 1;
const IFA_LOCAL = 2;
const RTA_DST = 1;
const RTA_OIF = 4;
const RTA_GATEWAY = 5;
const RTA_TABLE = 15;
const RT_TABLE_MAIN = 254;
const RTPROT_STATIC = 4;
const RT_SCOPE_UNIVERSE = 0;
const RT_SCOPE_LINK = 253;
const RT_SCOPE_HOST = 254;
const RTN_UNICAST = 1;
const LINK_MESSAGE_BYTES = 16;
const ROUTE_MESSAGE_BYTES = 12;

/** One end of a pair of links; its namespace is that of the socket, or `namespace`. */
export interface LinkEnd {
  readonly name: string;
  /** Unique in its namespace. */
  readonly index: number;
}

/** A route as the kernel lists it. */
export interface Route {
  /** First address, as a number. */
  readonly destination: number;
  readonly prefixLength: number;
  /** 0 where it names no link, or several. */
  readonly linkIndex: number;
  readonly table: number;
}

/**
 * Two links that are joined; the first is up. Queues are few: one for each processor would take
 * memory.
 */
export function createPair(
  end: LinkEnd,
  peer: LinkEnd & { readonly namespace: number },
): NetlinkRequest {
  const queues = [numberAttribute(IFLA_NUM_TX_QUEUES, 1), numberAttribute(IFLA_NUM_RX_QUEUES, 1)];
  const peerMessage = Buffer.concat([
    // The kernel refuses to bring it up as long as the pair is not complete.
    linkMessage(peer.index, false),
    textAttribute(IFLA_IFNAME, peer.name),
    numberAttribute(IFLA_NET_NS_FD, peer.namespace),
    ...queues,
  ]);
  const information = Buffer.concat([
    textAttribute(IFLA_INFO_KIND, 'veth'),
    attribute(IFLA_INFO_DATA, attribute(VETH_INFO_PEER, peerMessage)),
  ]);
  return {
    name: `create ${end.name}`,
    type: RTM_NEWLINK,
    flags: CREATE | EXCLUSIVE,
    payload: Buffer.concat([
      linkMessage(end.index, true),
      textAttribute(IFLA_IFNAME, end.name),
      ...queues,
      attribute(IFLA_LINKINFO, information),
    ]),
  };
}

export function bringUp(index: number): NetlinkRequest {
  return { name: `up ${index}`, type: RTM_NEWLINK, flags: 0, payload: linkMessage(index, true) };
}

/** Deletes a link by name, and with it the other end of its pair. */
export function deleteLink(name: string): NetlinkRequest {
  const payload = Buffer.concat([linkMessage(0, false), textAttribute(IFLA_IFNAME, name)]);
  return { name: `delete ${name}`, type: RTM_DELLINK, flags: 0, payload };
}

/** A single address; `peer` is the one at the other end, to which a route is made. */
export function addAddress(index: number, address: string, peer = address): NetlinkRequest {
  return addressRequest('add', RTM_NEWADDR, CREATE | EXCLUSIVE, index, address, peer);
}

export function deleteAddress(index: number, address: string): NetlinkRequest {
  return addressRequest('delete', RTM_DELADDR, 0, index, address, address);
}

/** A route to `destination`, `10.0.0.0/8`, on a link; `default` stands for everything else. */
export function addRoute(destination: string, index: number, gateway?: string): NetlinkRequest {
  return routeRequest('add', RTM_NEWROUTE, CREATE | EXCLUSIVE, destination, index, gateway);
}

export function deleteRoute(destination: string, index: number): NetlinkRequest {
  return routeRequest('delete', RTM_DELROUTE, 0, destination, index, undefined);
}

/** All links; each item is for `parseLink`. */
export function listLinks(): NetlinkRequest {
  return { name: 'list links', type: RTM_GETLINK, flags: 0, payload: linkMessage(0, false) };
}

/** All routes of IPv4 in all tables; each item is for `parseRoute`. */
export function listRoutes(): NetlinkRequest {
  const payload = Buffer.alloc(ROUTE_MESSAGE_BYTES);
  payload.writeUInt8(AF_INET, 0);
  return { name: 'list routes', type: RTM_GETROUTE, flags: 0, payload };
}

export function parseLink(item: Buffer): LinkEnd | undefined {
  if (item.length < LINK_MESSAGE_BYTES) return undefined;
  const name = parseAttributes(item.subarray(LINK_MESSAGE_BYTES)).get(IFLA_IFNAME);
  if (name === undefined) return undefined;
  return { index: item.readInt32LE(4), name: name.toString('latin1').replace(/\0+$/, '') };
}

export function parseRoute(item: Buffer): Route | undefined {
  if (item.length < ROUTE_MESSAGE_BYTES || item.readUInt8(0) !== AF_INET) return undefined;
  const attributes = parseAttributes(item.subarray(ROUTE_MESSAGE_BYTES));
  const table = attributes.get(RTA_TABLE);
  return {
    destination: attributes.get(RTA_DST)?.readUInt32BE(0) ?? 0,
    prefixLength: item.readUInt8(1),
    linkIndex: attributes.get(RTA_OIF)?.readUInt32LE(0) ?? 0,
    table: table?.readUInt32LE(0) ?? item.readUInt8(4),
  };
}

/** `struct ifinfomsg`. */
function linkMessage(index: number, up: boolean): Buffer {
  const bytes = Buffer.alloc(LINK_MESSAGE_BYTES);
  bytes.writeInt32LE(index, 4);
  if (up) {
    bytes.writeUInt32LE(IFF_UP, 8);
    bytes.writeUInt32LE(IFF_UP, 12);
  }
  return bytes;
}

/** `struct ifaddrmsg`. */
function addressRequest(
  verb: string,
  type: number,
  flags: number,
  index: number,
  address: string,
  peer: string,
): NetlinkRequest {
  const bytes = Buffer.alloc(8);
  bytes.writeUInt8(AF_INET, 0);
  bytes.writeUInt8(32, 1);
  // An address of `lo` is never the source of what leaves by another link.
  bytes.writeUInt8(index === LOOPBACK_INDEX ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE, 3);
  bytes.writeUInt32LE(index, 4);
  const payload = Buffer.concat([
    bytes,
    attribute(IFA_LOCAL, addressBytes(address)),
    attribute(IFA_ADDRESS, addressBytes(peer)),
  ]);
  return { name: `${verb} ${address}`, type, flags, payload };
}

/** `struct rtmsg`. */
function routeRequest(
  verb: string,
  type: number,
  flags: number,
  destination: string,
  index: number,
  gateway: string | undefined,
): NetlinkRequest {
  const [address = '', length = '32'] = destination === 'default' ? [] : destination.split('/');
  const bytes = Buffer.alloc(ROUTE_MESSAGE_BYTES);
  bytes.writeUInt8(AF_INET, 0);
  bytes.writeUInt8(address === '' ? 0 : Number(length), 1);
  bytes.writeUInt8(RT_TABLE_MAIN, 4);
  bytes.writeUInt8(RTPROT_STATIC, 5);
  bytes.writeUInt8(gateway === undefined ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE, 6);
  bytes.writeUInt8(RTN_UNICAST, 7);
  const attributes = [
    address === '' ? [] : [attribute(RTA_DST, addressBytes(address))],
    gateway === undefined ? [] : [attribute(RTA_GATEWAY, addressBytes(gateway))],
    [numberAttribute(RTA_OIF, index)],
  ].flat();
  const payload = Buffer.concat([bytes, ...attributes]);
  return { name: `${verb} route ${destination}`, type, flags, payload };
}

function addressBytes(address: string): Buffer {
  return Buffer.from(address.split('.').map(Number));
}
