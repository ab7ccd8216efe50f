import type { Socket } from 'node:net';
import type { CodeCacheStore } from '../../artifacts/code-cache-store.ts';
import type { Clock } from '../../clock/clock.ts';
import type { LogStore } from '../../logs/log-store.ts';
import type { SandboxDriver } from '../../sandbox/sandbox.ts';
import type { EnvironmentEvents } from './environment-events.ts';
import type { IdleFreezer } from './idle-freezer.ts';
import type { RuntimeLauncher } from '../launch/runtime-launcher.ts';
import type { StartGate } from '../workers/start-gate.ts';
import type { WorkerPool } from '../workers/worker-pool.ts';

/** What it takes to make a sandbox and to start a function's processes in it. */
export interface EnvironmentHostServices {
  readonly driver: SandboxDriver;
  readonly launcher: RuntimeLauncher;
  readonly workers: WorkerPool;
  /** Undefined where functions could write to what is shown to them. */
  readonly codeCaches: CodeCacheStore | undefined;
  readonly startGate: StartGate;
  readonly clock: Clock;
  /** This server as a function on the host's own network reaches it. */
  readonly endpoint: () => string;
  /** What functions are told instead, where it is set. */
  readonly functionEndpoint: string | undefined;
  /** Serves the API on a connection that comes from a sandbox with a network of its own. */
  readonly acceptFromFunction: (socket: Socket) => void;
  /** PATH for functions that run on the host itself; undefined where the sandbox has its own. */
  readonly hostPath: string | undefined;
  /** Reports a fault of the platform to the operator. */
  readonly reportFault: (what: string, cause: unknown) => void;
}

/** What every environment of a server shares. */
export interface EnvironmentServices extends EnvironmentHostServices {
  readonly logStore: LogStore;
  readonly freezer: IdleFreezer;
  readonly events: EnvironmentEvents;
}
