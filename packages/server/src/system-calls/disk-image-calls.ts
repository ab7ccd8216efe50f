import { close as closeFile, constants, open as openFile, readSync } from 'node:fs';
import { promisify } from 'node:util';
import { callAsync, nameOfErrno, SystemCallError } from './linux-system-calls.ts';

/** A part of a sparse file that is there; bytes, `end` not included. */
export interface FileExtent {
  readonly start: number;
  readonly end: number;
}

/** A file system that is to be mounted. Options without a value are flags. */
export interface NewMount {
  readonly type: string;
  /** A block device, for types that have one. */
  readonly source?: string;
  readonly options: Readonly<Record<string, string | true>>;
}

/** A block device that shows a file; detached when its last user is gone. */
export interface LoopDevice {
  readonly path: string;
  /** Keeps the device attached until it is closed by the caller. */
  readonly descriptor: number;
}

/**
 * The system calls around file systems in files. Failures throw a SystemCallError. Those that return
 * a promise take milliseconds and run in a thread of their own.
 */
export interface DiskImageCalls {
  /** lseek(2) with SEEK_DATA and SEEK_HOLE: the first part at or behind `offset`. */
  nextExtent(file: number, offset: number): FileExtent | undefined;
  /**
   * LOOP_CONFIGURE, Linux 5.8: attaches a file of whole blocks of 4,096 bytes to a free device, which
   * reads and writes past the page cache where the file's own file system can do that.
   */
  attachLoopDevice(file: number): Promise<LoopDevice>;
  /**
   * fsopen(2), fsmount(2), Linux 5.2: a mount without set-uid programs, devices and times of access,
   * which no path leads to. The caller closes the descriptor; a mount that was not attached by then
   * is gone.
   */
  createMount(mount: NewMount): Promise<number>;
  /**
   * EXT4_IOC_SHUTDOWN: from now on nothing is written to the device any more, and every use of the
   * file system fails.
   *
   * @param folder a descriptor of any folder in it
   */
  shutDownFileSystem(folder: number): Promise<void>;
}

/** Sectors of loop devices: direct reads and writes of this size suit every disk. */
export const LOOP_BLOCK_BYTES = 4_096;

const SEEK_DATA = 3;
const SEEK_HOLE = 4;

const LOOP_CONFIGURE = 0x4c0a;
const LOOP_CTL_GET_FREE = 0x4c82;
/** `struct loop_config`: file, block size, `struct loop_info64`, room for more. */
const LOOP_CONFIG_BYTES = 304;
const LOOP_CONFIG_FLAGS_OFFSET = 60;
const LO_FLAGS_AUTOCLEAR = 4;
const LO_FLAGS_DIRECT_IO = 16;
/** Others on the machine may take the same free device. */
const LOOP_TRIES = 64;

// The numbers of system calls newer than 5.0 are the same on every architecture.
const SYS_FSOPEN = 430;
const SYS_FSCONFIG = 431;
const SYS_FSMOUNT = 432;
const FSOPEN_CLOEXEC = 1;
const FSMOUNT_CLOEXEC = 1;
const FSCONFIG_SET_FLAG = 0;
const FSCONFIG_SET_STRING = 1;
const FSCONFIG_CMD_CREATE = 6;
const MOUNT_ATTR_NOSUID = 2;
const MOUNT_ATTR_NODEV = 4;
const MOUNT_ATTR_NOATIME = 0x10;

/** `_IOR('X', 125, __u32)`, with the flag that drops what has not been written. */
const EXT4_IOC_SHUTDOWN = 0x8004_587d;
const EXT4_GOING_FLAGS_NOLOGFLUSH = 2;

const MESSAGE_BYTES = 1_024;

// Plain descriptors, which outlive the function that opened them.
const open = promisify(openFile);
const close = promisify(closeFile);

let loaded: Promise<DiskImageCalls> | undefined;

/** Loads the calls on first use; rejects where the platform is another. */
export function loadDiskImageCalls(): Promise<DiskImageCalls> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<DiskImageCalls> {
  if (process.platform !== 'linux') {
    throw new Error(`Cannot load system calls as the platform must be linux: ${process.platform}`);
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const lseek = library.func('int64_t lseek64(int file, int64_t offset, int whence)');
  // Declared with fixed parameters, as calls in other threads must be.
  const ioctl = library.func('int ioctl(int file, unsigned long request, void *argument)');
  const ioctlNumber = library.func('int ioctl(int file, unsigned long request, long argument)');
  const fsopen = library.func('long syscall(long number, const char *type, unsigned long flags)');
  const fsconfig = library.func(
    'long syscall(long number, long context, long command, const char *key, const char *value, long extra)',
  );
  const fsmount = library.func(
    'long syscall(long number, long context, long flags, long attributes)',
  );

  const failure = (call: string, subject: string | number): SystemCallError =>
    new SystemCallError(call, String(subject), nameOfErrno(koffi.errno()));
  const checked = (result: number, call: string, subject: string | number): number => {
    if (result < 0) throw failure(call, subject);
    return result;
  };
  const seek = (file: number, offset: number, whence: number): number | undefined => {
    const found = Number(lseek(file, offset, whence));
    if (found >= 0) return found;
    const error = failure('lseek', file);
    if (error.code === 'ENXIO') return undefined;
    throw error;
  };
  const freeDevice = async (): Promise<string> => {
    const control = await open('/dev/loop-control', constants.O_RDWR);
    try {
      const index = ioctlNumber(control, LOOP_CTL_GET_FREE, 0);
      return `/dev/loop${checked(index, 'ioctl LOOP_CTL_GET_FREE', 'loop-control')}`;
    } finally {
      await close(control);
    }
  };
  /** Whether the device could be had; throws where none could. */
  const configure = async (device: number, config: Buffer): Promise<boolean> => {
    if ((await callAsync(ioctl, device, LOOP_CONFIGURE, config)) === 0) return true;
    // errno belongs to the other thread: ask again for it.
    if (ioctl(device, LOOP_CONFIGURE, config) === 0) return true;
    const error = failure('ioctl LOOP_CONFIGURE', device);
    if (error.code === 'EBUSY') return false;
    throw error;
  };
  return {
    nextExtent(file, offset) {
      const start = seek(file, offset, SEEK_DATA);
      if (start === undefined) return undefined;
      const end = seek(file, start, SEEK_HOLE);
      return end === undefined ? undefined : { start, end };
    },
    async attachLoopDevice(file) {
      const config = Buffer.alloc(LOOP_CONFIG_BYTES);
      config.writeUInt32LE(file, 0);
      config.writeUInt32LE(LOOP_BLOCK_BYTES, 4);
      config.writeUInt32LE(LO_FLAGS_AUTOCLEAR | LO_FLAGS_DIRECT_IO, LOOP_CONFIG_FLAGS_OFFSET);
      for (let tries = 0; tries < LOOP_TRIES; tries += 1) {
        const path = await freeDevice();
        const descriptor = await open(path, constants.O_RDWR);
        try {
          if (await configure(descriptor, config)) return { path, descriptor };
        } catch (error) {
          await close(descriptor);
          throw error;
        }
        await close(descriptor);
      }
      throw new SystemCallError('ioctl LOOP_CONFIGURE', `${LOOP_TRIES} devices`, 'EBUSY');
    },
    async createMount({ type, source, options }) {
      const context = checked(fsopen(SYS_FSOPEN, type, FSOPEN_CLOEXEC), 'fsopen', type);
      try {
        const set = (key: string, value: string | true): void => {
          const command = value === true ? FSCONFIG_SET_FLAG : FSCONFIG_SET_STRING;
          const text = value === true ? null : value;
          checked(fsconfig(SYS_FSCONFIG, context, command, key, text, 0), 'fsconfig', key);
        };
        if (source !== undefined) set('source', source);
        for (const [key, value] of Object.entries(options)) set(key, value);
        const parameters = [SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, null, null, 0];
        if ((await callAsync(fsconfig, ...parameters)) < 0) {
          const message = messageOf(context);
          throw new SystemCallError('mount', source ?? type, message || 'the kernel refuses it');
        }
        const attributes = MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOATIME;
        return checked(fsmount(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, attributes), 'fsmount', type);
      } finally {
        await close(context);
      }
    },
    async shutDownFileSystem(folder) {
      const flags = Buffer.alloc(4);
      flags.writeUInt32LE(EXT4_GOING_FLAGS_NOLOGFLUSH);
      if ((await callAsync(ioctl, folder, EXT4_IOC_SHUTDOWN, flags)) === 0) return;
      checked(ioctl(folder, EXT4_IOC_SHUTDOWN, flags), 'ioctl EXT4_IOC_SHUTDOWN', folder);
    },
  };
}

/** What the kernel says of a mount that failed, such as `EXT4-fs: …`; empty where it says nothing. */
function messageOf(context: number): string {
  try {
    const message = Buffer.alloc(MESSAGE_BYTES);
    const text = message.toString('latin1', 0, readSync(context, message));
    return text.replace(/^[ewi] /, '').trim();
  } catch {
    return '';
  }
}
