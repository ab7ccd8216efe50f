import type { Duplex, Readable } from 'node:stream';

/**
 * What a driver enforces, as data: printed at start, by `hearth doctor` and by the health page.
 * `false` and `undefined` mean that nothing stops a function.
 */
export interface SandboxEnforcement {
  /** Memory of the environment is capped by the kernel. */
  readonly memory: boolean;
  /** CPU time follows the memory setting. */
  readonly cpu: boolean;
  /** The number of processes and threads is capped. */
  readonly processes: boolean;
  /** `/tmp` is capped at the ephemeral storage size. */
  readonly ephemeralStorage: boolean;
  /** The function sees none of the host's files but its code, its runtime and the system's libraries. */
  readonly filesystem: boolean;
  /** The function sees none of the host's processes. */
  readonly processIsolation: boolean;
  /** The function has a network of its own. */
  readonly network: boolean;
  /** System calls are filtered. */
  readonly systemCalls: boolean;
  /** The function runs as a user of its own, without privileges. */
  readonly user: boolean;
}

/** Host folders that an environment gets to see, all read-only. Absolute, without symbolic links. */
export interface SandboxDirectories {
  /** The function's code. */
  readonly task: string;
  /**
   * True where the code is somebody's own folder that runs in place, not one that the server made:
   * the function may then read in it what the folder's owner may.
   */
  readonly taskInPlace?: boolean;
  /** The bootstrap. */
  readonly runtime: string;
  /** Prefix of the interpreter: `<language>/bin/node`. */
  readonly language: string;
  /** Merged layers; absent where the function has none. */
  readonly opt?: string;
}

export interface SandboxSpec {
  /** `[a-z0-9-]+`, unique on this machine; names folders, cgroups and user ids. */
  readonly environmentId: string;
  readonly directories: SandboxDirectories;
  readonly memoryMb: number;
  readonly ephemeralStorageMb: number;
}

/** Where the folders are, seen from inside. `/var/task` … under `namespace`, host paths under `process`. */
export interface GuestPaths {
  readonly task: string;
  readonly runtime: string;
  readonly language: string;
  readonly opt: string;
  readonly tmp: string;
}

export interface GuestCommand {
  /** Program and arguments in guest paths; never passed through a shell. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the process: nothing is inherited from the server. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** How a guest's main process ended; exactly one of `code` and `signal` is set. */
export interface GuestExit {
  readonly code: number | undefined;
  /** Name without the prefix, as AWS prints it: `killed`, `segmentation fault` … */
  readonly signal: string | undefined;
  /** The kernel ended it because the memory limit was reached. */
  readonly outOfMemory: boolean;
}

/** A running main process with everything it started. */
export interface GuestProcess {
  /** File descriptor 3 of the guest: both ways, framed by the runtime session. */
  readonly channel: Duplex;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** File descriptor 4 of the guest: log frames. */
  readonly log: Readable;
  /** Settles once the main process and everything it started are gone. Never rejects. */
  readonly exited: Promise<GuestExit>;
  /**
   * Most memory that the environment has held, in bytes; undefined where it cannot be told. Cheap
   * (reads a held descriptor) and never throws, also after the exit.
   */
  memoryPeakBytes(): number | undefined;
  /**
   * From now on the guest's share of the CPU follows its memory; until then it has whole cores, as
   * AWS gives during init. Where CPU is not enforced, and after the exit, it does nothing.
   */
  limitCpu(): void;
  /** Ends all of it with SIGKILL; settles with `exited`. After the exit it does nothing. */
  kill(): Promise<void>;
}

/**
 * One execution environment's place on the machine. Its writable folder (`/tmp`) lives as long as
 * the sandbox; the processes in it come and go.
 */
export interface Sandbox extends AsyncDisposable {
  readonly paths: GuestPaths;
  /**
   * Starts the main process. One at a time: while another one lives it throws. Rejects with a
   * SandboxError where the process cannot be started; after dispose it always rejects.
   */
  start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess>;
  /** Kills what runs and removes folders, mounts and cgroups. Repeated calls share one outcome. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A way of making sandboxes. Safe for concurrent calls. */
export interface SandboxDriver extends AsyncDisposable {
  readonly name: 'process' | 'namespace' | 'fake';
  readonly enforcement: SandboxEnforcement;
  /** Rejects with a SandboxError, and leaves nothing behind, where it fails or is aborted. */
  create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /** Ends and removes what an earlier server on the same data folder left after it was killed. */
  sweep(): Promise<void>;
  /** Disposes every sandbox that is left. Afterwards `create` rejects. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A fault of the platform, never of the function. */
export class SandboxError extends Error {
  override readonly name = 'SandboxError';
}

/**
 * The folder that a function's code should run in cannot be shown to it. Who deployed the function
 * chose that folder, so the message may be told to callers.
 */
export class CodeFolderError extends SandboxError {}
