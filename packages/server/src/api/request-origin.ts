import type { IncomingHttpHeaders } from 'node:http';
import { isIP } from 'node:net';

/**
 * Says why a request must not be served: a web page that the user happens to look at can send
 * requests to 127.0.0.1, and by a name that it makes point there (DNS rebinding) even read answers.
 * An address as Host cannot be rebound and `localhost` is always this machine; any other name must
 * be one of `ownHosts`. Clients that are not browsers send no Origin. Undefined where all is well.
 */
export function foreignOrigin(
  headers: IncomingHttpHeaders,
  ownHosts: ReadonlySet<string>,
): string | undefined {
  const { host, origin } = headers;
  if (host === undefined || !isOwnHost(hostName(host), ownHosts)) {
    return `Cannot serve the request as Host must be an address, localhost or a name of this server: received ${shorten(host)}`;
  }
  if (origin !== undefined && !isOwnOrigin(origin, ownHosts)) {
    return `Cannot serve the request as Origin must be this machine: received ${shorten(origin)}`;
  }
  return undefined;
}

function isOwnHost(name: string, ownHosts: ReadonlySet<string>): boolean {
  return isIP(name) !== 0 || isLocalName(name) || ownHosts.has(name);
}

function isOwnOrigin(origin: string, ownHosts: ReadonlySet<string>): boolean {
  const match = /^https?:\/\/([^/]+)$/.exec(origin);
  if (match?.[1] === undefined) return false;
  const name = hostName(match[1]);
  return (
    name === '::1' || /^127(?:\.\d{1,3}){3}$/.test(name) || isLocalName(name) || ownHosts.has(name)
  );
}

function isLocalName(name: string): boolean {
  return name === 'localhost' || name.endsWith('.localhost');
}

/** The name in `name`, `name:port` or `[address]:port`, in lower case. */
function hostName(host: string): string {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^:[\]@]+))(?::\d{1,5})?$/.exec(host);
  return (match?.[1] ?? match?.[2] ?? '').toLowerCase();
}

function shorten(text: string | undefined): string {
  return text === undefined ? 'none' : text.slice(0, 256);
}
