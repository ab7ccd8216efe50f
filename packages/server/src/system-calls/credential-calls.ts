import { nameOfErrno, SystemCallError } from './linux-system-calls.ts';

/**
 * The credentials of the calling thread. To the kernel each thread has its own; only the C library,
 * and so Node.js, changes those of all threads together.
 */
export interface CredentialCalls {
  /**
   * The thread acts as the user, without supplementary groups, until `restore`. What it executes
   * meanwhile has no way back. `restore` is called even where this throws.
   */
  become(user: { readonly uid: number; readonly gid: number }): void;
  /** Back to what the thread was when the calls were loaded. */
  restore(): void;
}

interface CallNumbers {
  readonly setGroups: number;
  readonly getGroups: number;
  readonly setUsers: number;
  readonly getUsers: number;
  readonly setGroup: number;
  readonly getGroup: number;
}

const NUMBERS: Readonly<Record<string, CallNumbers>> = {
  x64: {
    getGroups: 115,
    setGroups: 116,
    setUsers: 117,
    getUsers: 118,
    setGroup: 119,
    getGroup: 120,
  },
  arm64: {
    setUsers: 147,
    getUsers: 148,
    setGroup: 149,
    getGroup: 150,
    getGroups: 158,
    setGroups: 159,
  },
};

const PR_SET_PDEATHSIG = 1;
const PR_GET_PDEATHSIG = 2;
const PR_GET_DUMPABLE = 3;
const PR_SET_DUMPABLE = 4;
const MAX_GROUPS = 65_536;

let loaded: Promise<CredentialCalls> | undefined;

/** Loads the calls on first use; rejects where the platform or the processor is another. */
export function loadCredentialCalls(): Promise<CredentialCalls> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<CredentialCalls> {
  const numbers = process.platform === 'linux' ? NUMBERS[process.arch] : undefined;
  if (numbers === undefined) {
    const system = `${process.platform} ${process.arch}`;
    throw new Error(`Cannot load system calls as the system must be linux x64 or arm64: ${system}`);
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const setIds = library.func('long syscall(long number, long real, long effective, long saved)');
  const getIds = library.func(
    'long syscall(long number, void *real, void *effective, void *saved)',
  );
  const groupList = library.func('long syscall(long number, long count, void *list)');
  const prctl = library.func('int prctl(int option, unsigned long value)');
  const prctlRead = library.func('prctl', 'int', ['int', 'void *']);

  const checked = (result: number, call: string, subject: string | number): number => {
    if (result < 0) throw new SystemCallError(call, String(subject), nameOfErrno(koffi.errno()));
    return result;
  };
  const idsOf = (number: number): [number, number, number] => {
    const ids = [Buffer.alloc(4), Buffer.alloc(4), Buffer.alloc(4)] as const;
    checked(getIds(number, ...ids), 'getresuid', number);
    return [ids[0].readUInt32LE(0), ids[1].readUInt32LE(0), ids[2].readUInt32LE(0)];
  };
  const ownUsers = idsOf(numbers.getUsers);
  const ownGroup = idsOf(numbers.getGroup);
  const list = Buffer.alloc(4 * MAX_GROUPS);
  const count = checked(groupList(numbers.getGroups, MAX_GROUPS, list), 'getgroups', '');
  const ownGroups = Buffer.from(list.subarray(0, 4 * count));
  const wasDumpable = prctl(PR_GET_DUMPABLE, 0) === 1;
  const deathSignal = Buffer.alloc(4);
  prctlRead(PR_GET_PDEATHSIG, deathSignal);

  return {
    become({ uid, gid }) {
      // Without any there is nothing to give up, which some user namespaces do not allow at all.
      if (count > 0) checked(groupList(numbers.setGroups, 0, null), 'setgroups', '');
      checked(setIds(numbers.setGroup, gid, gid, ownGroup[2]), 'setresgid', gid);
      // The saved one is the way back.
      checked(setIds(numbers.setUsers, uid, uid, ownUsers[2]), 'setresuid', uid);
      // A process that shares the server's memory until it executes a program has this user now: no
      // other process of the user may look into it, whatever the system's default.
      prctl(PR_SET_DUMPABLE, 0);
    },
    restore() {
      checked(setIds(numbers.setUsers, ...ownUsers), 'setresuid', ownUsers[1]);
      checked(setIds(numbers.setGroup, ...ownGroup), 'setresgid', ownGroup[1]);
      if (count > 0) checked(groupList(numbers.setGroups, count, ownGroups), 'setgroups', '');
      // The kernel takes both away with the change of users.
      if (wasDumpable) prctl(PR_SET_DUMPABLE, 1);
      if (deathSignal.readInt32LE(0) > 0) prctl(PR_SET_PDEATHSIG, deathSignal.readInt32LE(0));
    },
  };
}
