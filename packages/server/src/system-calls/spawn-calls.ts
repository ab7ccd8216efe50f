import {
  nameOfErrno,
  parseWaitStatus,
  SystemCallError,
  type WaitStatus,
} from './linux-system-calls.ts';

/** What a program is started with. */
export interface SpawnRequest {
  /** Absolute path. */
  readonly program: string;
  /** Without the program's name. */
  readonly parameters: readonly string[];
  /** The program's, from 0 on; it gets no others. They stay the caller's, who closes them. */
  readonly descriptors: readonly (number | undefined)[];
}

/**
 * Starting processes without a copy of the server: Node.js forks, which copies its page tables and
 * makes each page that is written to afterwards cost a fault, on the thread that serves everybody.
 */
export interface SpawnCalls {
  /**
   * posix_spawn(3): in `/`, with an empty environment, no signal blocked or ignored, and the
   * credentials and limits of the calling thread. Returns the number, which is not used again
   * before `reap`. Throws a SystemCallError also where the program cannot be executed.
   */
  spawn(request: SpawnRequest): number;
  /** waitpid(2): waits, unless it has ended. Undefined where its status is not to be had. */
  reap(pid: number): WaitStatus | undefined;
}

const F_DUPFD_CLOEXEC = 1_030;
const SPAWN_SET_SIGNALS_TO_DEFAULT = 4;
const SPAWN_SET_SIGNAL_MASK = 8;
/** More than `posix_spawnattr_t`, `posix_spawn_file_actions_t` and `sigset_t` have anywhere. */
const STRUCT_BYTES = 512;
// The same since Linux 5.9 on every architecture; the flag since 5.11.
const SYS_CLOSE_RANGE = 436;
const CLOSE_RANGE_CLOEXEC = 4;

let loaded: Promise<SpawnCalls> | undefined;

/** Loads the calls on first use; rejects where the platform is another. */
export function loadSpawnCalls(): Promise<SpawnCalls> {
  loaded ??= load();
  return loaded;
}

async function load(): Promise<SpawnCalls> {
  if (process.platform !== 'linux') {
    throw new Error(`Cannot load system calls as the platform must be linux: ${process.platform}`);
  }
  const { default: koffi } = await import('koffi');
  const library = koffi.load(null);
  const posixSpawn = library.func(
    'int posix_spawn(void *pid, const char *path, void *actions, void *attributes, const char **argv, const char **envp)',
  );
  const initActions = library.func('int posix_spawn_file_actions_init(void *actions)');
  const destroyActions = library.func('int posix_spawn_file_actions_destroy(void *actions)');
  const addDup2 = library.func(
    'int posix_spawn_file_actions_adddup2(void *actions, int from, int to)',
  );
  const initAttributes = library.func('int posix_spawnattr_init(void *attributes)');
  const setFlags = library.func('int posix_spawnattr_setflags(void *attributes, short flags)');
  const setDefaults = library.func(
    'int posix_spawnattr_setsigdefault(void *attributes, void *signals)',
  );
  const setMask = library.func('int posix_spawnattr_setsigmask(void *attributes, void *signals)');
  const waitpid = library.func('int waitpid(int pid, void *status, int options)');
  const fcntl = library.func('int fcntl(int fd, int command, ...)');
  const close = library.func('int close(int fd)');
  const closeRange = library.func(
    'long syscall(long number, unsigned int first, unsigned int last, unsigned int flags)',
  );
  // The GNU C library has it since 2.29. Before, programs start in the server's folder.
  const addChdir = optional(() =>
    library.func('int posix_spawn_file_actions_addchdir_np(void *actions, const char *path)'),
  );

  const attributes = Buffer.alloc(STRUCT_BYTES);
  checked(initAttributes(attributes), 'posix_spawnattr_init', '');
  checked(setDefaults(attributes, Buffer.alloc(STRUCT_BYTES, 0xff)), 'setsigdefault', '');
  checked(setMask(attributes, Buffer.alloc(STRUCT_BYTES)), 'setsigmask', '');
  const flags = SPAWN_SET_SIGNALS_TO_DEFAULT | SPAWN_SET_SIGNAL_MASK;
  checked(setFlags(attributes, flags), 'posix_spawnattr_setflags', '');

  /** A descriptor that none of the first `count` takes the place of. */
  const moved = (descriptor: number, count: number, moves: DisposableStack): number => {
    if (descriptor >= count) return descriptor;
    const copy: number = fcntl(descriptor, F_DUPFD_CLOEXEC, 'int', count);
    if (copy < 0)
      throw new SystemCallError('fcntl', String(descriptor), nameOfErrno(koffi.errno()));
    moves.defer(() => close(copy));
    return copy;
  };

  return {
    spawn({ program, parameters, descriptors }) {
      using used = new DisposableStack();
      const actions = Buffer.alloc(STRUCT_BYTES);
      checked(initActions(actions), 'posix_spawn_file_actions_init', program);
      used.defer(() => destroyActions(actions));
      for (const [target, descriptor] of descriptors.entries()) {
        if (descriptor === undefined) continue;
        const source = moved(descriptor, descriptors.length, used);
        checked(addDup2(actions, source, target), 'posix_spawn_file_actions_adddup2', source);
      }
      if (addChdir !== undefined) checked(addChdir(actions, '/'), 'addchdir', program);
      // Before Linux 5.11 there is no such call; whatever opens a descriptor sees to it as well.
      closeRange(SYS_CLOSE_RANGE, 3, 2 ** 32 - 1, CLOSE_RANGE_CLOEXEC);
      const pid = Buffer.alloc(4);
      const argv = [program, ...parameters, null];
      checked(posixSpawn(pid, program, actions, attributes, argv, [null]), 'posix_spawn', program);
      return pid.readInt32LE(0);
    },
    reap(pid) {
      const status = Buffer.alloc(4);
      return waitpid(pid, status, 0) === pid ? parseWaitStatus(status.readInt32LE(0)) : undefined;
    },
  };
}

/** For functions that return errno. */
function checked(errno: number, call: string, subject: string | number): void {
  if (errno !== 0) throw new SystemCallError(call, String(subject), nameOfErrno(errno));
}

function optional<Result>(find: () => Result): Result | undefined {
  try {
    return find();
  } catch {
    return undefined;
  }
}
