import type { SystemCallName } from './system-call-numbers.ts';

/** What becomes of a call. An errno is what the program gets to see. */
export type FilterAction =
  | { readonly kind: 'allow' }
  | { readonly kind: 'fail'; readonly errno: number }
  | { readonly kind: 'kill' };

/**
 * A condition on an argument: masked, it is one of the values. Only its lower 32 bits are looked at.
 * The kernel looks at no more either for every argument that is named here, so upper bits that are
 * set change nothing: a comparison of all 64 could be led astray by them.
 */
export interface ArgumentCondition {
  /** 0 to 5. */
  readonly argument: number;
  readonly mask?: number;
  readonly oneOf: readonly number[];
}

/** Where all conditions hold, the action is taken. */
export interface FilterCase {
  readonly when: readonly ArgumentCondition[];
  readonly action: FilterAction;
}

/** The first case that applies decides; `otherwise`, where none does. */
export interface SystemCallRule {
  readonly names: readonly SystemCallName[];
  readonly cases?: readonly FilterCase[];
  readonly otherwise: FilterAction;
  /** Why a function may not have it. */
  readonly reason: string;
}

export const ALLOW: FilterAction = { kind: 'allow' };
export const KILL: FilterAction = { kind: 'kill' };
/** Not permitted. */
export const EPERM: FilterAction = { kind: 'fail', errno: 1 };
/** For calls that programs have another way for, which they take where the kernel is too old. */
export const ENOSYS: FilterAction = { kind: 'fail', errno: 38 };
const EAFNOSUPPORT: FilterAction = { kind: 'fail', errno: 97 };
const EPROTONOSUPPORT: FilterAction = { kind: 'fail', errno: 93 };

/** CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET; clone knows no NEWTIME. */
const NAMESPACE_FLAGS = 0x7e02_0000;

const FILE_TYPE_MASK = 0o170000;
const DEVICE_TYPES = [0o020000, 0o060000];

/** PER_LINUX, PER_LINUX32, both with UNAME26, and the question which it is. */
const HARMLESS_PERSONALITIES = [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff];

const TIOCSTI = 0x5412;
const TIOCLINUX = 0x541c;

const AF_UNIX = 1;
const AF_INET = 2;
const AF_INET6 = 10;
const AF_NETLINK = 16;
const NETLINK_ROUTE = 0;
/** The kernel's choice, ICMP, TCP, UDP, ICMPv6, MPTCP. */
const INTERNET_PROTOCOLS = [0, 1, 6, 17, 58, 262];

/** Arguments: domain, type, protocol. */
const SOCKET_CASES: readonly FilterCase[] = [
  { when: [{ argument: 0, oneOf: [AF_UNIX] }], action: ALLOW },
  {
    when: [
      { argument: 0, oneOf: [AF_INET, AF_INET6] },
      { argument: 2, oneOf: INTERNET_PROTOCOLS },
    ],
    action: ALLOW,
  },
  { when: [{ argument: 0, oneOf: [AF_INET, AF_INET6] }], action: EPROTONOSUPPORT },
  {
    when: [
      { argument: 0, oneOf: [AF_NETLINK] },
      { argument: 2, oneOf: [NETLINK_ROUTE] },
    ],
    action: ALLOW,
  },
];

/**
 * What a function may not ask of the kernel, in the manner of the container engines' default
 * profiles. Without capabilities the kernel refuses much of it anyway; this holds also where a fault
 * in the kernel hands capabilities out, and keeps functions away from code with a record of such
 * faults. What is not named is allowed.
 */
export const SYSTEM_CALL_RULES: readonly SystemCallRule[] = [
  {
    names: ['bpf', 'perf_event_open', 'userfaultfd'],
    otherwise: EPERM,
    reason:
      'programs in the kernel, its counters and stalled page faults are tools of attacks on it',
  },
  {
    names: ['add_key', 'request_key', 'keyctl'],
    otherwise: EPERM,
    reason: 'keyrings are not part of a namespace',
  },
  {
    names: ['io_uring_setup', 'io_uring_enter', 'io_uring_register'],
    otherwise: ENOSYS,
    reason: 'its operations pass this filter by; libraries fall back to other calls',
  },
  {
    names: [
      'kexec_load',
      'kexec_file_load',
      'create_module',
      'init_module',
      'finit_module',
      'delete_module',
      'get_kernel_syms',
      'query_module',
    ],
    otherwise: EPERM,
    reason: 'code of the kernel',
  },
  {
    names: [
      'mount',
      'umount2',
      'pivot_root',
      'chroot',
      'fsopen',
      'fsconfig',
      'fsmount',
      'fspick',
      'move_mount',
      'open_tree',
      'open_tree_attr',
      'mount_setattr',
    ],
    otherwise: EPERM,
    reason: 'a sandbox is made of mounts',
  },
  {
    names: ['setns', 'unshare'],
    otherwise: EPERM,
    reason: 'in a user namespace of its own a program has capabilities again',
  },
  {
    names: ['clone'],
    cases: [{ when: [{ argument: 0, mask: NAMESPACE_FLAGS, oneOf: [0] }], action: ALLOW }],
    otherwise: EPERM,
    reason: 'the same, on the way of a new process',
  },
  {
    names: ['clone3'],
    otherwise: ENOSYS,
    reason: 'its flags are in memory, where a filter cannot look; libraries fall back to clone',
  },
  {
    names: ['ptrace', 'process_vm_readv', 'process_vm_writev', 'kcmp', 'pidfd_getfd'],
    otherwise: EPERM,
    reason: 'reaching into other processes',
  },
  {
    names: ['open_by_handle_at', 'name_to_handle_at'],
    otherwise: EPERM,
    reason: 'file handles lead past the mounts of a sandbox',
  },
  {
    names: ['mknod'],
    cases: [{ when: [{ argument: 1, mask: FILE_TYPE_MASK, oneOf: DEVICE_TYPES }], action: EPERM }],
    otherwise: ALLOW,
    reason: 'devices; pipes and sockets are made with it too',
  },
  {
    names: ['mknodat'],
    cases: [{ when: [{ argument: 2, mask: FILE_TYPE_MASK, oneOf: DEVICE_TYPES }], action: EPERM }],
    otherwise: ALLOW,
    reason: 'devices; pipes and sockets are made with it too',
  },
  {
    names: ['quotactl', 'quotactl_fd', 'swapon', 'swapoff', 'reboot', 'acct', 'vhangup'],
    otherwise: EPERM,
    reason: 'administration of the machine',
  },
  {
    names: ['sethostname', 'setdomainname', 'syslog', 'fanotify_init'],
    otherwise: EPERM,
    reason: 'administration of the machine',
  },
  {
    names: ['settimeofday', 'clock_settime', 'clock_adjtime', 'adjtimex'],
    otherwise: EPERM,
    reason: 'the clock is of the whole machine',
  },
  {
    names: ['mbind', 'set_mempolicy', 'set_mempolicy_home_node', 'migrate_pages', 'move_pages'],
    otherwise: EPERM,
    reason: 'placement of memory is up to the host',
  },
  {
    names: ['personality'],
    cases: [{ when: [{ argument: 0, oneOf: HARMLESS_PERSONALITIES }], action: ALLOW }],
    otherwise: EPERM,
    reason: 'old personalities switch protections off',
  },
  {
    names: ['ioctl'],
    cases: [{ when: [{ argument: 1, oneOf: [TIOCSTI, TIOCLINUX] }], action: EPERM }],
    otherwise: ALLOW,
    reason: 'they put characters into the input of a terminal',
  },
  {
    names: ['vmsplice'],
    otherwise: ENOSYS,
    reason:
      'a pipe that holds a page of a forked process sees, on old kernels, what its parent writes there',
  },
  {
    names: ['iopl', 'ioperm'],
    otherwise: EPERM,
    reason: 'ports of the machine',
  },
  {
    names: ['modify_ldt', 'lookup_dcookie', 'nfsservctl', '_sysctl', 'uselib', 'ustat', 'sysfs'],
    otherwise: ENOSYS,
    reason: 'given up by the kernel, or for 16-bit programs',
  },
  {
    names: ['socket', 'socketpair'],
    cases: SOCKET_CASES,
    otherwise: EAFNOSUPPORT,
    reason:
      'besides local, internet and routing sockets (which list the interfaces) the kernel loads a ' +
      'module for each family and protocol that is asked for; AF_VSOCK leads out of the machine',
  },
];
