import type { Clock } from '../clock/clock.ts';
import type { LogStore } from '../logs/log-store.ts';
import type { SandboxDriver } from '../sandbox/sandbox.ts';
import type { RuntimeLauncher } from './runtime-launcher.ts';
import type { StartGate } from './start-gate.ts';

/** What it takes to make a sandbox and to start a runtime in it. */
export interface GuestHostServices {
  readonly driver: SandboxDriver;
  readonly launcher: RuntimeLauncher;
  readonly clock: Clock;
  /** This server as a function reaches it. */
  readonly endpoint: () => string;
  /** PATH for functions that run on the host itself; undefined where the sandbox has its own. */
  readonly hostPath: string | undefined;
}

/** What every environment of a server shares. */
export interface EnvironmentServices extends GuestHostServices {
  readonly logStore: LogStore;
  readonly startGate: StartGate;
  /** Reports a fault of the platform to the operator. */
  readonly reportFault: (what: string, cause: unknown) => void;
}
