import type { TelemetryDestination } from './subscription.ts';

/** The names of the sandbox itself; AWS documents the first and its emulator also takes the second. */
const HOSTS: ReadonlySet<string> = new Set([
  'sandbox.localdomain',
  'sandbox',
  'localhost',
  '127.0.0.1',
]);

/** The platform's own, the Runtime API's. */
const RESERVED_PORT = 9001;
const MAX_PORT = 65_535;
const MAX_URI_LENGTH = 2_048;

/** Scheme, host, port and the rest, of which only what can stand in a request line. */
const URI = /^http:\/\/([A-Za-z0-9.-]+)(?::(\d{1,5}))?(\/[\x21\x22\x24-\x7e]*)?$/;

/**
 * Where a subscriber wants its batches; undefined, with the faults added, where it may not have them
 * there. Nothing but a port of the sandbox can be named: whatever the host is called, the connection
 * is made inside.
 */
export function parseDestination(
  value: unknown,
  faults: string[],
): TelemetryDestination | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    faults.push('destination is not provided');
    return undefined;
  }
  const {
    protocol,
    URI: uri,
    port,
    method,
    encoding,
  }: Record<DestinationField, unknown> = {
    ...NOTHING,
    ...value,
  };
  if (encoding !== undefined && encoding !== 'JSON') {
    faults.push('destination.encoding must be JSON');
  }
  if (protocol === 'TCP') return parseTcp(port, faults);
  if (protocol === 'HTTP') return parseHttp(uri, method, faults);
  faults.push('destination.protocol must be HTTP or TCP');
  return undefined;
}

type DestinationField = 'protocol' | 'URI' | 'port' | 'method' | 'encoding';

const NOTHING: Readonly<Record<DestinationField, unknown>> = {
  protocol: undefined,
  URI: undefined,
  port: undefined,
  method: undefined,
  encoding: undefined,
};

function parseTcp(port: unknown, faults: string[]): TelemetryDestination | undefined {
  if (typeof port !== 'number') {
    faults.push('port is not provided');
    return undefined;
  }
  return isAllowedPort(port, faults) ? { protocol: 'TCP', port } : undefined;
}

function parseHttp(
  uri: unknown,
  method: unknown,
  faults: string[],
): TelemetryDestination | undefined {
  if (method !== undefined && method !== 'POST' && method !== 'PUT') {
    faults.push('destination.method must be POST or PUT');
    return undefined;
  }
  if (typeof uri !== 'string' || uri === '') {
    faults.push('URI is not provided');
    return undefined;
  }
  const [, host, portText, path] = (uri.length <= MAX_URI_LENGTH ? URI.exec(uri) : null) ?? [];
  if (host === undefined) {
    faults.push('URI must be http://sandbox.localdomain:PORT/PATH');
    return undefined;
  }
  if (!HOSTS.has(host.toLowerCase())) {
    faults.push('URI host must be sandbox.localdomain');
    return undefined;
  }
  if (portText === undefined) {
    faults.push('URI port is not provided');
    return undefined;
  }
  const port = Number(portText);
  if (!isAllowedPort(port, faults)) return undefined;
  return {
    protocol: 'HTTP',
    method: method ?? 'POST',
    authority: `${host}:${port}`,
    port,
    path: path ?? '/',
  };
}

function isAllowedPort(port: number, faults: string[]): boolean {
  if (!Number.isInteger(port) || port < 1 || port > MAX_PORT) {
    faults.push(`port must be an integer between 1 and ${MAX_PORT}`);
    return false;
  }
  if (port === RESERVED_PORT) {
    faults.push(`port ${RESERVED_PORT} is reserved`);
    return false;
  }
  return true;
}
