/** Architectures that filters are made for, by the name of the kernel. */
export type FilterArchitecture = 'x86_64' | 'aarch64';

/** Numbers of a call on x86_64 and aarch64; undefined where the architecture does not have it. */
type CallNumbers = readonly [x86_64: number, aarch64: number | undefined];

/** Of the calls that a filter names, from the kernel's tables. From 424 on all architectures agree. */
const NUMBERS = {
  _sysctl: [156, undefined],
  acct: [163, 89],
  add_key: [248, 217],
  adjtimex: [159, 171],
  bpf: [321, 280],
  chroot: [161, 51],
  clock_adjtime: [305, 266],
  clock_settime: [227, 112],
  clone: [56, 220],
  clone3: [435, 435],
  create_module: [174, undefined],
  delete_module: [176, 106],
  fanotify_init: [300, 262],
  finit_module: [313, 273],
  fsconfig: [431, 431],
  fsmount: [432, 432],
  fsopen: [430, 430],
  fspick: [433, 433],
  get_kernel_syms: [177, undefined],
  init_module: [175, 105],
  io_uring_enter: [426, 426],
  io_uring_register: [427, 427],
  io_uring_setup: [425, 425],
  ioctl: [16, 29],
  ioperm: [173, undefined],
  iopl: [172, undefined],
  kcmp: [312, 272],
  kexec_file_load: [320, 294],
  kexec_load: [246, 104],
  keyctl: [250, 219],
  lookup_dcookie: [212, 18],
  mbind: [237, 235],
  migrate_pages: [256, 238],
  mknod: [133, undefined],
  mknodat: [259, 33],
  modify_ldt: [154, undefined],
  mount: [165, 40],
  mount_setattr: [442, 442],
  move_mount: [429, 429],
  move_pages: [279, 239],
  name_to_handle_at: [303, 264],
  nfsservctl: [180, 42],
  open_by_handle_at: [304, 265],
  open_tree: [428, 428],
  open_tree_attr: [467, 467],
  perf_event_open: [298, 241],
  personality: [135, 92],
  pidfd_getfd: [438, 438],
  pivot_root: [155, 41],
  process_vm_readv: [310, 270],
  process_vm_writev: [311, 271],
  ptrace: [101, 117],
  query_module: [178, undefined],
  quotactl: [179, 60],
  quotactl_fd: [443, 443],
  reboot: [169, 142],
  request_key: [249, 218],
  set_mempolicy: [238, 237],
  set_mempolicy_home_node: [450, 450],
  setdomainname: [171, 162],
  sethostname: [170, 161],
  setns: [308, 268],
  settimeofday: [164, 170],
  socket: [41, 198],
  socketpair: [53, 199],
  swapoff: [168, 225],
  swapon: [167, 224],
  sysfs: [139, undefined],
  syslog: [103, 116],
  umount2: [166, 39],
  unshare: [272, 97],
  uselib: [134, undefined],
  userfaultfd: [323, 282],
  ustat: [136, undefined],
  vhangup: [153, 58],
  vmsplice: [278, 75],
} satisfies Record<string, CallNumbers>;

/** A call that a filter can name. */
export type SystemCallName = keyof typeof NUMBERS;

export const SYSTEM_CALL_NAMES = Object.keys(NUMBERS).filter(isSystemCallName);

function isSystemCallName(name: string): name is SystemCallName {
  return name in NUMBERS;
}

/** Undefined where the architecture does not have the call. */
export function systemCallNumber(
  name: SystemCallName,
  architecture: FilterArchitecture,
): number | undefined {
  return NUMBERS[name][architecture === 'x86_64' ? 0 : 1];
}

/**
 * The newest call of Linux 6.17, `file_setattr`. What came later has not been judged: programs are
 * told that the kernel does not have it.
 */
export const NEWEST_KNOWN_NUMBER = 469;
