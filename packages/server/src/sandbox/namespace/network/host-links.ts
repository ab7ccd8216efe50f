import type { NetworkCalls } from '../../../system-calls/network-calls.ts';
import {
  type LinkEnd,
  listLinks,
  listRoutes,
  parseLink,
  parseRoute,
  type Route,
} from './link-requests.ts';
import type { NetlinkRequest } from './netlink-message.ts';
import { NetlinkSocket } from './netlink-socket.ts';

/** A machine with more is a router of the internet; what is beyond is not looked at. */
const MAX_ITEMS = 10_000;

/** Links of the network namespace that the thread is in. */
export function linksHere(calls: NetworkCalls): Promise<LinkEnd[]> {
  return list(calls, listLinks(), parseLink);
}

/** Routes of IPv4, of all tables, of the network namespace that the thread is in. */
export function routesHere(calls: NetworkCalls): Promise<Route[]> {
  return list(calls, listRoutes(), parseRoute);
}

async function list<T>(
  calls: NetworkCalls,
  request: NetlinkRequest,
  parse: (item: Buffer) => T | undefined,
): Promise<T[]> {
  using netlink = new NetlinkSocket(calls);
  const items = (await netlink.list(request, MAX_ITEMS)).map(parse);
  return items.filter((item) => item !== undefined);
}
