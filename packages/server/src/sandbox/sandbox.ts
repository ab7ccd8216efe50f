import type { Duplex, Readable } from 'node:stream';
import type { GuestNetwork } from './guest-network.ts';

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
  /** `/dev/shm` is capped. */
  readonly sharedMemory: boolean;
  /** The number of files that a process has open is capped. */
  readonly openFiles: boolean;
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
  /** Between two events nothing of the function runs. */
  readonly freeze: boolean;
}

/** Host folders that a sandbox shows from its beginning, read-only. Absolute, without symbolic links. */
export interface SandboxDirectories {
  /** The bootstrap. */
  readonly runtime?: string;
  /** Prefix of the interpreter: `<language>/bin/node`. */
  readonly language?: string;
}

/** How much a function may hold. */
export interface SandboxSizes {
  readonly memoryMb: number;
  readonly ephemeralStorageMb: number;
}

/** What makes a sandbox that of one function. Folders are absolute, without symbolic links. */
export interface SandboxAssignment extends SandboxSizes {
  /** The function's code, shown read-only. */
  readonly task: string;
  /**
   * True where the code is somebody's own folder that runs in place, not one that the server made:
   * the function may then read in it what the folder's owner may.
   */
  readonly taskInPlace?: boolean;
  /** Merged layers, shown read-only; absent where the function has none. */
  readonly opt?: string;
  /** Compiled code that the server keeps for the function, shown read-only. */
  readonly cache?: string;
}

export interface SandboxSpec {
  /** `[a-z0-9-]+`, unique on this machine; names folders, cgroups and user ids. */
  readonly environmentId: string;
  readonly directories: SandboxDirectories;
  /**
   * Absent: a generic sandbox, which is assigned later. Until then its `/tmp` is not for use, and
   * where the driver does not assign running sandboxes, nothing can be started.
   */
  readonly assignment?: SandboxAssignment;
  /**
   * What a generic sandbox will probably be assigned: limits and `/tmp` are made ahead where that can
   * be. What is assigned otherwise takes longer, and nothing else.
   */
  readonly likely?: SandboxSizes;
}

/**
 * Where the folders are, seen from inside: `/var/task` … under `namespace`, host paths under
 * `process`. Those of an assignment are final once the sandbox is assigned.
 */
export interface GuestPaths {
  readonly task: string;
  readonly runtime: string;
  readonly language: string;
  readonly opt: string;
  readonly tmp: string;
  /** Of `SandboxAssignment.cache`; an empty folder where there is none. */
  readonly cache: string;
}

export interface GuestCommand {
  /** Program and arguments in guest paths; never passed through a shell. */
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the process: nothing is inherited from the server. */
  readonly environment: Readonly<Record<string, string>>;
  readonly cwd: string;
  /** What it has open: `standard` 0 to 2; `channel` also 3, the channel, and 4, for log frames. */
  readonly descriptors: 'channel' | 'standard';
  /**
   * True for a program that, when it has a socket as descriptor 5, prepares itself and then forks
   * guests on request (PROTOCOL.md of the bootstraps, "Zygote"). A driver that `forksGuests` may start
   * it so with the same arguments, variables and runtime folders as root of the host, and fork this
   * guest rather than execute it. To the guest both are the same.
   */
  readonly forkable?: boolean;
}

/** How a guest's main process ended; exactly one of `code` and `signal` is set. */
export interface GuestExit {
  readonly code: number | undefined;
  /** Name without the prefix, as AWS prints it: `killed`, `segmentation fault` … */
  readonly signal: string | undefined;
  /** The kernel ended it because the memory limit was reached. */
  readonly outOfMemory: boolean;
}

/** A running program with everything it started. */
export interface GuestProcess {
  /** File descriptor 3 of the guest: both ways, framed by the runtime session. */
  readonly channel: Duplex | undefined;
  readonly stdout: Readable;
  readonly stderr: Readable;
  /** File descriptor 4 of the guest: log frames. */
  readonly log: Readable | undefined;
  /** Settles once the program and everything it started are gone. Never rejects. */
  readonly exited: Promise<GuestExit>;
  /** SIGTERM to the program alone. After the exit, and while frozen, nothing comes of it. */
  terminate(): void;
  /** Ends all of it with SIGKILL, also while frozen; settles with `exited`. After the exit it does nothing. */
  kill(): Promise<void>;
}

/**
 * One execution environment's place on the machine. Its writable folder (`/tmp`) lives as long as
 * the sandbox; the processes in it come and go.
 */
export interface Sandbox extends AsyncDisposable {
  readonly paths: GuestPaths;
  readonly network: GuestNetwork;
  /**
   * Gives a generic sandbox to a function: its folders appear, its limits hold, its memory peak
   * starts anew. Once, and where the driver's capabilities say so also while a process runs. Rejects
   * with a SandboxError; what is half done then is only good for dispose.
   */
  assign(assignment: SandboxAssignment): Promise<void>;
  /**
   * Starts a program. Several may live at once and share `/tmp`, network and limits; none sees the
   * others. Rejects with a SandboxError where it cannot be started, while frozen, and after dispose.
   */
  start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess>;
  /**
   * Sets whether the sandbox's share of the CPU follows its memory. A new one has whole cores, as
   * AWS gives during init. Where CPU is not enforced it does nothing.
   */
  limitCpu(limited: boolean): void;
  /**
   * Most memory that the sandbox has held at one time since it was assigned, in bytes; undefined
   * where it cannot be told. Cheap (reads a held descriptor) and never throws, also after dispose.
   */
  memoryPeakBytes(): number | undefined;
  /**
   * No process of the sandbox runs until `thaw`. Cheap, repeatable, and it holds within a
   * millisecond after it returns; where freezing is not enforced it does what it can.
   */
  freeze(): void;
  thaw(): void;
  /** Kills what runs, also while frozen, and removes folders, mounts and cgroups. Repeated calls share one outcome. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** What a driver can do beyond the port, as data. */
export interface SandboxCapabilities {
  /** A generic sandbox may run processes before it is assigned. */
  readonly assignsRunning: boolean;
  /** Guests whose command is `forkable` are forked, in a fraction of the time and memory. */
  readonly forksGuests: boolean;
}

/** A way of making sandboxes. Safe for concurrent calls. */
export interface SandboxDriver extends AsyncDisposable {
  readonly name: 'process' | 'namespace' | 'fake';
  readonly enforcement: SandboxEnforcement;
  readonly capabilities: SandboxCapabilities;
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
