import { constants, openSync, writeFileSync } from 'node:fs';
import { nameOfErrno, SystemCallError } from './linux-system-calls.ts';

/** One id, as a file system has it and as a mount of it shows it. */
export interface IdChange {
  readonly stored: number;
  readonly shown: number;
}

/**
 * The system calls around mount trees that have no path yet, from Linux 5.2 to 5.12. Each is done
 * when it returns, and throws a SystemCallError where it fails: ENOSYS on an older kernel.
 */
export interface MountTreeCalls {
  /**
   * openat2(2): an existing folder, for reference only, by an absolute path; ELOOP where a part of
   * the path is a symbolic link, ENOTDIR where it is no folder. The caller closes the descriptor.
   */
  openFolder(path: string): number;
  /**
   * open_tree(2): a copy of what is mounted on the folder and below it, which no path leads to. The
   * caller closes the descriptor; a copy that was not attached by then is gone.
   */
  cloneMounts(folder: number): number;
  /**
   * mount_setattr(2): makes all mounts of a copy read-only, without devices and set-uid programs,
   * and deaf to what is mounted or unmounted at the original.
   */
  restrictMounts(tree: number): void;
  /**
   * mount_setattr(2): shows the files of a copy with the ids of a user namespace. EINVAL where a
   * file system cannot, EPERM where its ids are changed already. `below` includes all mounts below
   * the first; it changes all of them or none.
   */
  changeIds(tree: number, userNamespace: number, below: boolean): void;
  /** move_mount(2): gives a copy its place, an existing folder. */
  attachMounts(tree: number, target: string): void;
  /** A user namespace without a process; the caller closes the descriptor. */
  createUserNamespace(user: IdChange, group: IdChange): number;
}

// The numbers of system calls newer than 5.0 are the same on every architecture.
const SYS_OPEN_TREE = 428;
const SYS_MOVE_MOUNT = 429;
const SYS_OPENAT2 = 437;
const SYS_MOUNT_SETATTR = 442;

const AT_FDCWD = -100;
const AT_EMPTY_PATH = 0x1000;
const AT_RECURSIVE = 0x8000;
const OPEN_TREE_CLONE = 1;
const MOVE_MOUNT_F_EMPTY_PATH = 4;
const O_CLOEXEC = 0o2000000;
const O_PATH = 0o10000000;
const RESOLVE_NO_SYMLINKS = 4n;
/** `struct open_how`: flags, mode, resolve. */
const OPEN_HOW_BYTES = 24;
/** `struct mount_attr`: attributes to set, to clear, propagation, user namespace. */
const MOUNT_ATTR_BYTES = 32;
const MOUNT_ATTR_RDONLY = 1;
const MOUNT_ATTR_NOSUID = 2;
const MOUNT_ATTR_NODEV = 4;
const MOUNT_ATTR_IDMAP = 0x10_0000;
const MS_PRIVATE = 1n << 18n;

const CLONE_VM = 0x100;
const CLONE_VFORK = 0x4000;
const CLONE_NEWUSER = 0x1000_0000;
/** Waits for a child that announces its end by no signal. */
const WAIT_ALL = 0x4000_0000;
const STACK_BYTES = 64 * 1_024;
const STACK_RESERVE_BYTES = 256;

let loaded: Promise<MountTreeCalls> | undefined;

/** Loads the calls on first use; rejects where the platform is another. */
export function loadMountTreeCalls(): Promise<MountTreeCalls> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<MountTreeCalls> {
  if (process.platform !== 'linux') {
    throw new Error(`Cannot load system calls as the platform must be linux: ${process.platform}`);
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const syscall = library.func('long syscall(long number, ...)');
  const clone = library.func('int clone(void *run, void *stack, int flags, void *argument, ...)');
  const waitpid = library.func('int waitpid(int pid, void *status, int options)');
  const exit: unknown = library.symbol('_exit', 'void');
  const stack = Buffer.allocUnsafeSlow(STACK_BYTES);

  const checked = (result: number, call: string, subject: string | number): number => {
    if (result < 0) throw new SystemCallError(call, String(subject), nameOfErrno(koffi.errno()));
    return result;
  };
  const setAttributes = (
    tree: number,
    below: boolean,
    attributes: number,
    propagation: bigint,
    userNamespace: number,
  ): void => {
    const attr = Buffer.alloc(MOUNT_ATTR_BYTES);
    attr.writeBigUInt64LE(BigInt(attributes), 0);
    attr.writeBigUInt64LE(propagation, 16);
    attr.writeBigUInt64LE(BigInt(userNamespace), 24);
    const result: number = syscall(
      SYS_MOUNT_SETATTR,
      'int',
      tree,
      'const char *',
      '',
      'unsigned int',
      below ? AT_EMPTY_PATH | AT_RECURSIVE : AT_EMPTY_PATH,
      'void *',
      attr,
      'size_t',
      MOUNT_ATTR_BYTES,
    );
    checked(result, 'mount_setattr', tree);
  };

  return {
    openFolder(path) {
      const how = Buffer.alloc(OPEN_HOW_BYTES);
      how.writeBigUInt64LE(BigInt(O_PATH | O_CLOEXEC | constants.O_DIRECTORY), 0);
      how.writeBigUInt64LE(RESOLVE_NO_SYMLINKS, 16);
      const result: number = syscall(
        SYS_OPENAT2,
        'int',
        AT_FDCWD,
        'const char *',
        path,
        'void *',
        how,
        'size_t',
        OPEN_HOW_BYTES,
      );
      return checked(result, 'openat2', path);
    },
    cloneMounts(folder) {
      const result: number = syscall(
        SYS_OPEN_TREE,
        'int',
        folder,
        'const char *',
        '',
        'unsigned int',
        OPEN_TREE_CLONE | O_CLOEXEC | AT_EMPTY_PATH | AT_RECURSIVE,
      );
      return checked(result, 'open_tree', folder);
    },
    restrictMounts(tree) {
      const attributes = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV;
      setAttributes(tree, true, attributes, MS_PRIVATE, 0);
    },
    changeIds(tree, userNamespace, below) {
      setAttributes(tree, below, MOUNT_ATTR_IDMAP, 0n, userNamespace);
    },
    attachMounts(tree, target) {
      const result: number = syscall(
        SYS_MOVE_MOUNT,
        'int',
        tree,
        'const char *',
        '',
        'int',
        AT_FDCWD,
        'const char *',
        target,
        'unsigned int',
        MOVE_MOUNT_F_EMPTY_PATH,
      );
      checked(result, 'move_mount', target);
    },
    createUserNamespace(user, group) {
      // A namespace takes a process of its own to begin with. This one's only instruction is to
      // end, on a stack that nobody else uses, while this thread waits: no copy of the server is
      // made, no program started, no signal sent.
      const top = stack.subarray(STACK_BYTES - STACK_RESERVE_BYTES);
      const flags = CLONE_VM | CLONE_VFORK | CLONE_NEWUSER;
      const pid = checked(clone(exit, top, flags, null), 'clone', 'a user namespace');
      try {
        // It has ended, but until it is waited for its number and its namespace are there.
        writeFileSync(`/proc/${pid}/uid_map`, `${user.stored} ${user.shown} 1`);
        writeFileSync(`/proc/${pid}/gid_map`, `${group.stored} ${group.shown} 1`);
        return openSync(`/proc/${pid}/ns/user`, 'r');
      } finally {
        checked(waitpid(pid, null, WAIT_ALL), 'waitpid', pid);
      }
    },
  };
}
