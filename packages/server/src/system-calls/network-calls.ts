import { nameOfErrno, SystemCallError } from './linux-system-calls.ts';

/** Kinds of sockets that can be made. */
export const SocketKind = {
  tcp: { family: 2, type: 1, protocol: 0 },
  udp: { family: 2, type: 2, protocol: 0 },
  /** NETLINK_ROUTE. */
  routes: { family: 16, type: 3, protocol: 0 },
} as const;

/** An IPv4 address, `169.254.100.1`, with a port. */
export interface InternetAddress {
  readonly address: string;
  readonly port: number;
}

/**
 * The system calls of Linux for network namespaces, and for sockets that are made inside one and
 * used from outside: a socket stays in the namespace that its maker was in. Each is done when it
 * returns, but `send` and `writable`, and throws a SystemCallError where it fails.
 */
export interface NetworkCalls {
  /** setns(2): this thread is in that network namespace from now on. */
  enterNetwork(namespace: number): void;
  /** unshare(2): this thread is in a new, empty network namespace from now on. */
  enterNewNetwork(): void;
  /** Not blocking, and closed on exec. The caller closes it. */
  createSocket(kind: (typeof SocketKind)[keyof typeof SocketKind]): number;
  /** bind(2), also to an address and port that an earlier connection still lingers on. */
  bind(socket: number, to: InternetAddress): void;
  listen(socket: number, backlog: number): void;
  /** connect(2); may be under way when this returns: see `writable` and `connectionError`. */
  startConnect(socket: number, to: InternetAddress): void;
  /** Why a connection that was started has failed, `ECONNREFUSED`; undefined where it stands. */
  connectionError(socket: number): string | undefined;
  /** True once a connection that was started has been made or has failed. */
  isWritable(socket: number): boolean;
  /** Settles when `isWritable`, or when `signal` is aborted. */
  writable(socket: number, signal: AbortSignal): Promise<void>;
  /** send(2) on a thread of the pool: for what makes the kernel work. `data` must not change. */
  send(socket: number, data: Buffer): Promise<void>;
  /** recv(2); the number of bytes, undefined where nothing has come. */
  receive(socket: number, into: Buffer): number | undefined;
}

const CLONE_NEWNET = 0x4000_0000;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const AF_INET = 2;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SO_ERROR = 4;
const POLLOUT = 4;
const ADDRESS_BYTES = 16;

let loaded: Promise<NetworkCalls> | undefined;

/** Loads the calls on first use; rejects where the platform is another. */
export function loadNetworkCalls(): Promise<NetworkCalls> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<NetworkCalls> {
  if (process.platform !== 'linux') {
    throw new Error(`Cannot load system calls as the platform must be linux: ${process.platform}`);
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const setns = library.func('int setns(int fd, int kind)');
  const unshare = library.func('int unshare(int flags)');
  const socket = library.func('int socket(int family, int type, int protocol)');
  const bind = library.func('int bind(int fd, const void *address, unsigned int length)');
  const listen = library.func('int listen(int fd, int backlog)');
  const connect = library.func('int connect(int fd, const void *address, unsigned int length)');
  const setsockopt = library.func(
    'int setsockopt(int fd, int level, int name, const void *value, unsigned int length)',
  );
  const getsockopt = library.func(
    'int getsockopt(int fd, int level, int name, void *value, void *length)',
  );
  const poll = library.func('int poll(void *fds, unsigned long count, int timeout)');
  const send = library.func('long send(int fd, const void *data, size_t length, int flags)');
  const recv = library.func('long recv(int fd, void *data, size_t length, int flags)');

  const errorCode = (): string => nameOfErrno(koffi.errno());
  const checked = (result: number, call: string, subject: string | number): number => {
    if (result < 0) throw new SystemCallError(call, String(subject), errorCode());
    return result;
  };
  const isWritable = (descriptor: number): boolean => {
    const entry = Buffer.alloc(8);
    entry.writeInt32LE(descriptor, 0);
    entry.writeInt16LE(POLLOUT, 4);
    poll(entry, 1, 0);
    return entry.readInt16LE(6) !== 0;
  };

  return {
    enterNetwork(namespace) {
      checked(setns(namespace, CLONE_NEWNET), 'setns', namespace);
    },
    enterNewNetwork() {
      checked(unshare(CLONE_NEWNET), 'unshare', 'the network');
    },
    createSocket: ({ family, type, protocol }) =>
      checked(socket(family, type | SOCK_NONBLOCK | SOCK_CLOEXEC, protocol), 'socket', family),
    bind(descriptor, to) {
      const on = Buffer.alloc(4);
      on.writeInt32LE(1);
      checked(setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, on, 4), 'setsockopt', descriptor);
      checked(bind(descriptor, encodeAddress(to), ADDRESS_BYTES), 'bind', name(to));
    },
    listen(descriptor, backlog) {
      checked(listen(descriptor, backlog), 'listen', descriptor);
    },
    startConnect(descriptor, to) {
      const result: number = connect(descriptor, encodeAddress(to), ADDRESS_BYTES);
      if (result < 0 && errorCode() !== 'EINPROGRESS') checked(result, 'connect', name(to));
    },
    connectionError(descriptor) {
      const value = Buffer.alloc(4);
      const length = Buffer.alloc(4);
      length.writeUInt32LE(4);
      const result: number = getsockopt(descriptor, SOL_SOCKET, SO_ERROR, value, length);
      checked(result, 'getsockopt', descriptor);
      const errno = value.readInt32LE();
      return errno === 0 ? undefined : nameOfErrno(errno);
    },
    isWritable,
    writable: (descriptor, signal) =>
      new Promise((resolve) => {
        if (signal.aborted || isWritable(descriptor)) {
          resolve();
          return;
        }
        const end = (): void => {
          watch.close();
          signal.removeEventListener('abort', end);
          resolve();
        };
        const watch = koffi.node.poll(descriptor, { writable: true }, () => {
          // The event loop may still deliver an event of the number's previous owner.
          if (isWritable(descriptor)) end();
        });
        signal.addEventListener('abort', end);
      }),
    send: (descriptor, data) =>
      new Promise((resolve, reject) => {
        send.async(descriptor, data, data.length, 0, (error: unknown, sent: number) => {
          // errno belongs to the other thread. Kept alive until here: the call reads `data`.
          if (sent === data.length) resolve();
          else reject(new Error(`Cannot send ${data.length} bytes`, { cause: error }));
        });
      }),
    receive(descriptor, into) {
      const received: number = recv(descriptor, into, into.length, 0);
      if (received >= 0) return received;
      if (errorCode() === 'EAGAIN') return undefined;
      return checked(received, 'recv', descriptor);
    },
  };
}

/** `struct sockaddr_in`. */
function encodeAddress({ address, port }: InternetAddress): Buffer {
  const bytes = Buffer.alloc(ADDRESS_BYTES);
  bytes.writeUInt16LE(AF_INET, 0);
  bytes.writeUInt16BE(port, 2);
  for (const [index, part] of address.split('.').entries())
    bytes.writeUInt8(Number(part), 4 + index);
  return bytes;
}

function name({ address, port }: InternetAddress): string {
  return `${address}:${port}`;
}
