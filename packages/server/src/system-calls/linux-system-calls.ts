import { constants } from 'node:os';
import type { LibraryHandle } from 'koffi';

/** Flags of mount(2). */
export const MountFlag = {
  readOnly: 1,
  noSetuid: 2,
  noDevices: 4,
  remount: 32,
  bind: 4_096,
  recursive: 16_384,
  private: 1 << 18,
  shared: 1 << 20,
} as const;

/** Signals for `signalProcess`. */
export const Signal = { kill: 9, terminate: 15, continue: 18, stop: 19 } as const;

/** Resources of setrlimit(2). */
export const Resource = { coreBytes: 4, openFiles: 7, realtimeCpuMicroseconds: 15 } as const;

export const UNLIMITED = 2n ** 64n - 1n;

export interface ResourceLimit {
  readonly soft: bigint;
  readonly hard: bigint;
}

/** A status as wait(2) gives it: exactly one of `code` and `signal` is set. */
export interface WaitStatus {
  readonly code: number | undefined;
  readonly signal: number | undefined;
}

/** A system call that failed; `code` is the name of errno, `EPERM`. */
export class SystemCallError extends Error {
  override readonly name = 'SystemCallError';
  readonly code: string;

  constructor(call: string, subject: string, code: string) {
    super(`${call} ${subject}: ${code}`);
    this.code = code;
  }
}

/**
 * The system calls of Linux that Node.js has no function for. Failures throw a SystemCallError. All
 * but the two that return a promise are done when they return, and take microseconds.
 */
export interface LinuxSystemCalls {
  /** mount(2). `type` and `data` are empty for bind mounts. */
  mount(source: string, target: string, type: string, flags: number, data: string): void;
  /** umount2(2) with MNT_DETACH: out of sight at once, with everything below it. */
  unmount(target: string): Promise<void>;
  /** prlimit(2); `pid` 0 is this process. */
  setResourceLimit(pid: number, resource: number, limit: ResourceLimit): void;
  resourceLimit(pid: number, resource: number): ResourceLimit;
  /** An anonymous, empty file; the caller closes the descriptor. */
  createMemoryFile(name: string): number;
  /** pipe2(2) with both ends closed on exec. */
  createPipe(): { readonly read: number; readonly write: number };
  /** No program that is started from now on inherits a descriptor that it was not given. */
  closeAllOnExec(): void;
  /** pidfd_open(2): stays with this process, even after its number is used again. */
  openProcess(pid: number): number;
  /** A signal through a descriptor of `openProcess`; false where the process is gone. */
  signalProcess(descriptor: number, signal: number): boolean;
  /** True once a process of `openProcess` is dead, whether or not it was waited for. */
  hasEnded(descriptor: number): boolean;
  /**
   * Settles once the process is dead, with its PID namespace where it is the first of one. Called
   * once for a descriptor, which stays open until then.
   */
  processEnded(descriptor: number): Promise<void>;
  /** How a process that was waited for has ended; undefined before Linux 6.15, which cannot tell. */
  waitStatus(descriptor: number): WaitStatus | undefined;
}

const MNT_DETACH = 2;
const CLOSE_ON_EXEC = 0o2000000;
const MFD_CLOEXEC = 1;
const CLOSE_RANGE_CLOEXEC = 4;
const POLLIN = 1;
// The numbers of system calls newer than 5.0 are the same on every architecture.
const SYS_PIDFD_SEND_SIGNAL = 424;
const SYS_PIDFD_OPEN = 434;
const SYS_CLOSE_RANGE = 436;
/** `_IOWR(0xFF, 11, struct pidfd_info)` with the 64 bytes of its first version. */
const PIDFD_GET_INFO = 0xc0_40_ff_0b;
const PIDFD_INFO_BYTES = 64;
const PIDFD_INFO_EXIT = 8n;
const PIDFD_INFO_EXIT_CODE_OFFSET = 60;

let loaded: Promise<LinuxSystemCalls> | undefined;

/**
 * Loads the calls; the native library costs some 15 ms, so it is loaded on first use. Rejects where
 * the platform has none.
 */
export function loadLinuxSystemCalls(): Promise<LinuxSystemCalls> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<LinuxSystemCalls> {
  if (process.platform !== 'linux') {
    throw new Error(`Cannot load system calls as the platform must be linux: ${process.platform}`);
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const mount = library.func(
    'int mount(const char *source, const char *target, const char *type, unsigned long flags, const char *data)',
  );
  const umount2 = library.func('int umount2(const char *target, int flags)');
  const prlimit = library.func('int prlimit64(int pid, int resource, void *new_limit, void *old)');
  const memfdCreate = library.func('int memfd_create(const char *name, unsigned int flags)');
  const pipe2 = library.func('int pipe2(void *fds, int flags)');
  const poll = library.func('int poll(void *fds, unsigned long count, int timeout)');
  const ioctl = library.func('int ioctl(int fd, unsigned long request, ...)');
  const syscall = library.func('long syscall(long number, ...)');

  const errorCode = (): string => nameOfErrno(koffi.errno());
  const checked = (result: number, call: string, subject: string | number): number => {
    if (result < 0) throw new SystemCallError(call, String(subject), errorCode());
    return result;
  };
  // A descriptor of a process is readable when the process is dead.
  const isReadable = (descriptor: number): boolean => {
    const entry = Buffer.alloc(8);
    entry.writeInt32LE(descriptor, 0);
    entry.writeInt16LE(POLLIN, 4);
    poll(entry, 1, 0);
    return entry.readInt16LE(6) !== 0;
  };
  const limits = (pid: number, resource: number, next: Buffer | null): ResourceLimit => {
    const old = Buffer.alloc(16);
    checked(prlimit(pid, resource, next, old), 'prlimit', pid);
    return { soft: old.readBigUInt64LE(0), hard: old.readBigUInt64LE(8) };
  };

  const signalProcess = (descriptor: number, signal: number): boolean => {
    const result: number = syscall(
      SYS_PIDFD_SEND_SIGNAL,
      'int',
      descriptor,
      'int',
      signal,
      'void *',
      null,
      'unsigned int',
      0,
    );
    if (result < 0 && errorCode() === 'ESRCH') return false;
    checked(result, 'pidfd_send_signal', descriptor);
    return true;
  };

  return {
    mount(source, target, type, flags, data) {
      checked(mount(source, target, type || null, flags, data || null), 'mount', target);
    },
    async unmount(target) {
      // Freeing a full tmpfs takes a while. errno belongs to the worker thread: ask again for it.
      if ((await callAsync(umount2, target, MNT_DETACH)) === 0) return;
      checked(umount2(target, MNT_DETACH), 'umount', target);
    },
    setResourceLimit(pid, resource, { soft, hard }) {
      const next = Buffer.alloc(16);
      next.writeBigUInt64LE(soft, 0);
      next.writeBigUInt64LE(hard, 8);
      limits(pid, resource, next);
    },
    resourceLimit: (pid, resource) => limits(pid, resource, null),
    createMemoryFile: (name) => checked(memfdCreate(name, MFD_CLOEXEC), 'memfd_create', name),
    createPipe() {
      const ends = Buffer.alloc(8);
      checked(pipe2(ends, CLOSE_ON_EXEC), 'pipe2', '');
      return { read: ends.readInt32LE(0), write: ends.readInt32LE(4) };
    },
    closeAllOnExec() {
      // Before Linux 5.11 there is no such flag; Node.js itself then covers what it opened.
      syscall(
        SYS_CLOSE_RANGE,
        'unsigned int',
        3,
        'unsigned int',
        2 ** 32 - 1,
        'unsigned int',
        CLOSE_RANGE_CLOEXEC,
      );
    },
    openProcess: (pid) =>
      checked(syscall(SYS_PIDFD_OPEN, 'int', pid, 'unsigned int', 0), 'pidfd_open', pid),
    signalProcess,
    hasEnded: isReadable,
    processEnded: (descriptor) =>
      new Promise((resolve) => {
        if (isReadable(descriptor)) {
          resolve();
          return;
        }
        const watch = koffi.node.poll(descriptor, { readable: true }, () => {
          // The event loop may still deliver an event of the number's previous owner.
          if (!isReadable(descriptor)) return;
          watch.close();
          resolve();
        });
      }),
    waitStatus(descriptor) {
      const info = Buffer.alloc(PIDFD_INFO_BYTES);
      info.writeBigUInt64LE(PIDFD_INFO_EXIT, 0);
      if (ioctl(descriptor, PIDFD_GET_INFO, 'void *', info) < 0) return undefined;
      if ((info.readBigUInt64LE(0) & PIDFD_INFO_EXIT) === 0n) return undefined;
      return parseWaitStatus(info.readInt32LE(PIDFD_INFO_EXIT_CODE_OFFSET));
    },
  };
}

/** Splits the status word of wait(2). */
export function parseWaitStatus(word: number): WaitStatus {
  const signal = word & 0x7f;
  return signal === 0
    ? { code: (word >> 8) & 0xff, signal: undefined }
    : { code: undefined, signal };
}

/** Makes a call in another thread. errno stays there; what throws is only the library's fault. */
export function callAsync(
  call: ReturnType<LibraryHandle['func']>,
  ...parameters: unknown[]
): Promise<number> {
  return new Promise((resolve, reject) => {
    call.async(...parameters, (error: unknown, result: number) => {
      if (error === null || error === undefined) resolve(result);
      else reject(new Error('Cannot make a system call', { cause: error }));
    });
  });
}

/** `EPERM`, or the number where it has no name. */
export function nameOfErrno(errno: number): string {
  const entry = Object.entries(constants.errno).find(([, value]) => value === errno);
  return entry?.[0] ?? `errno ${errno}`;
}
