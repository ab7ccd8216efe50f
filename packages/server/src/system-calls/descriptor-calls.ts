import { nameOfErrno, SystemCallError } from './linux-system-calls.ts';

/** Connected stream sockets, both closed on exec. Whoever asked for them closes them. */
export interface SocketPair {
  readonly ours: number;
  readonly theirs: number;
}

/** The system calls with which descriptors are given to another process. */
export interface DescriptorCalls {
  /** socketpair(2); reading and writing waits. */
  createSocketPair(): SocketPair;
  /**
   * sendmsg(2) with SCM_RIGHTS: all of `data` and duplicates of `descriptors`, or nothing. Throws a
   * SystemCallError, EAGAIN also, where the other side has not read what came before.
   */
  sendDescriptors(socket: number, data: Buffer, descriptors: readonly number[]): void;
}

const AF_UNIX = 1;
const SOCK_STREAM = 1;
const SOCK_CLOEXEC = 0o2000000;
const SOL_SOCKET = 1;
const SCM_RIGHTS = 1;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** `struct cmsghdr` on machines of 64 bits. */
const CONTROL_HEADER_BYTES = 16;
const CONTROL_ALIGNMENT = 8;

let loaded: Promise<DescriptorCalls> | undefined;

/** Loads the calls on first use; rejects where the platform is another. */
export function loadDescriptorCalls(): Promise<DescriptorCalls> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<DescriptorCalls> {
  if (process.platform !== 'linux') {
    throw new Error(`Cannot load system calls as the platform must be linux: ${process.platform}`);
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const part = koffi.struct({ base: 'void *', length: 'size_t' });
  const message = koffi.struct({
    name: 'void *',
    nameLength: 'uint32_t',
    parts: koffi.pointer(part),
    partCount: 'size_t',
    control: 'void *',
    controlLength: 'size_t',
    flags: 'int',
  });
  const socketpair = library.func('int socketpair(int family, int type, int protocol, void *ends)');
  const sendmsg = library.func('sendmsg', 'long', ['int', koffi.pointer(message), 'int']);

  const checked = (result: number, call: string, subject: string | number): number => {
    if (result < 0) throw new SystemCallError(call, String(subject), nameOfErrno(koffi.errno()));
    return result;
  };
  return {
    createSocketPair() {
      const ends = Buffer.alloc(8);
      checked(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 'socketpair', '');
      return { ours: ends.readInt32LE(0), theirs: ends.readInt32LE(4) };
    },
    sendDescriptors(socket, data, descriptors) {
      const control = encodeRights(descriptors);
      const header = {
        name: null,
        nameLength: 0,
        parts: [{ base: data, length: data.length }],
        partCount: 1,
        control,
        controlLength: control.length,
        flags: 0,
      };
      const sent = checked(sendmsg(socket, header, MSG_DONTWAIT | MSG_NOSIGNAL), 'sendmsg', socket);
      if (sent < data.length) throw new SystemCallError('sendmsg', String(socket), 'EMSGSIZE');
    },
  };
}

/** One control message; empty for no descriptors. */
function encodeRights(descriptors: readonly number[]): Buffer {
  if (descriptors.length === 0) return Buffer.alloc(0);
  const length = CONTROL_HEADER_BYTES + 4 * descriptors.length;
  const control = Buffer.alloc(Math.ceil(length / CONTROL_ALIGNMENT) * CONTROL_ALIGNMENT);
  control.writeBigUInt64LE(BigInt(length), 0);
  control.writeInt32LE(SOL_SOCKET, 8);
  control.writeInt32LE(SCM_RIGHTS, 12);
  for (const [index, descriptor] of descriptors.entries()) {
    control.writeInt32LE(descriptor, CONTROL_HEADER_BYTES + 4 * index);
  }
  return control;
}
