import { closeSync, openSync, readFileSync, writeSync } from 'node:fs';
import type { LinuxSystemCalls } from '../../../system-calls/linux-system-calls.ts';
import { encodeProgram } from './classic-bpf.ts';
import { compileFilter } from './compile-filter.ts';
import type { FilterArchitecture } from './system-call-numbers.ts';
import { SYSTEM_CALL_RULES } from './system-call-rules.ts';

/** The architecture that filters are made for here; undefined where there is none. */
export function filterArchitecture(): FilterArchitecture | undefined {
  if (process.arch === 'x64') return 'x86_64';
  return process.arch === 'arm64' ? 'aarch64' : undefined;
}

/** Why system calls cannot be filtered on this machine; undefined where they can. */
export function findFilterObstacle(): { reason: string; remedy: string | undefined } | undefined {
  if (filterArchitecture() === undefined) {
    return {
      reason: `there is no filter for the architecture ${process.arch}`,
      remedy: 'run Hearth on x86_64 or aarch64',
    };
  }
  try {
    const actions = readFileSync('/proc/sys/kernel/seccomp/actions_avail', 'latin1').trim();
    const missing = ['kill_process', 'errno', 'allow'].find(
      (action) => !actions.split(' ').includes(action),
    );
    if (missing === undefined) return undefined;
    return { reason: `the kernel's filters do not know ${missing}`, remedy: 'use Linux >= 4.14' };
  } catch {
    return {
      reason: 'the kernel has no filters of system calls',
      remedy: 'use a kernel with CONFIG_SECCOMP_FILTER',
    };
  }
}

/** The filter of system calls that all sandboxes share. Compiled once; each start takes a descriptor. */
export class SeccompFilter implements Disposable {
  readonly #file: number;

  private constructor(file: number) {
    this.#file = file;
  }

  /** Undefined where `findFilterObstacle` tells why not. */
  static open(calls: LinuxSystemCalls): SeccompFilter | undefined {
    const architecture = filterArchitecture();
    if (architecture === undefined || findFilterObstacle() !== undefined) return undefined;
    const program = encodeProgram(compileFilter(SYSTEM_CALL_RULES, architecture));
    const file = calls.createMemoryFile('hearth-seccomp');
    writeSync(file, program, 0);
    return new SeccompFilter(file);
  }

  /**
   * A descriptor from which the program can be read once, from its start; for bubblewrap's
   * `--seccomp`. The caller closes it.
   */
  openProgram(): number {
    // Opened anew, as a duplicate would share the position with every other reader.
    return openSync(`/proc/self/fd/${this.#file}`, 'r');
  }

  [Symbol.dispose](): void {
    closeSync(this.#file);
  }
}
