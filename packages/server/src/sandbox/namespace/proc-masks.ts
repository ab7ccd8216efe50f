import { statSync } from 'node:fs';

/**
 * Files of /proc that tell every reader about the host: its boot parameters, configuration, keys,
 * devices and the addresses of its kernel. They are the same in each PID namespace.
 */
const TELLING = [
  'cmdline',
  'bootconfig',
  'config.gz',
  'keys',
  'key-users',
  'interrupts',
  'kallsyms',
  'latency_stats',
  'sched_debug',
  'timer_list',
];

const READABLE_BY_OTHERS = 0o044;

/**
 * Arguments of bubblewrap, for after `--proc`: what tells about the host is empty, unless only root of
 * the host may read it, and the settings of the kernel are read-only. Those of a sandbox's own
 * namespaces could be written to otherwise, by whoever owns them; what fills the kernel's memory is
 * among them.
 *
 * @param empty an empty file of the host
 */
export function procMasks(empty: string): string[] {
  const masked = TELLING.map((name) => `/proc/${name}`).filter(isReadableByOthers);
  return [
    ...masked.flatMap((path) => ['--ro-bind', empty, path]),
    '--ro-bind',
    '/proc/sys',
    '/proc/sys',
  ];
}

/** True where someone may read the file who is not root: that much a sandbox's user never is. */
function isReadableByOthers(path: string): boolean {
  const mode = statSync(path, { throwIfNoEntry: false })?.mode ?? 0;
  return (mode & READABLE_BY_OTHERS) !== 0;
}
