import type { FunctionVersion } from '../domain/function.ts';
import type { EnvironmentLog } from '../logs/environment-log.ts';
import type { RuntimeInit } from '../runtime-api/runtime-session.ts';
import type { GuestPaths, Sandbox } from '../sandbox/sandbox.ts';
import { environmentVariables } from './environment-variables.ts';
import type { GuestHostServices } from './environment-services.ts';
import { Guest, type CallEnd } from './guest.ts';
import type { RuntimeLaunch } from './runtime-launcher.ts';

/** An init under way. */
export interface PendingInit {
  /** Settles when the bootstrap is loaded, so that the boot no longer costs CPU. */
  readonly booted: Promise<void>;
  /** `ready`, or how init failed. */
  readonly ended: Promise<CallEnd>;
}

/** An environment's sandbox with the runtime process that is in it, one after the other. */
export class GuestHost implements AsyncDisposable {
  readonly launch: RuntimeLaunch;
  readonly #version: FunctionVersion;
  readonly #services: GuestHostServices;
  readonly #log: EnvironmentLog;
  readonly #sandbox: Sandbox;
  readonly #signal: AbortSignal;
  #guest: Guest | undefined;

  private constructor(
    version: FunctionVersion,
    services: GuestHostServices,
    log: EnvironmentLog,
    launch: RuntimeLaunch,
    sandbox: Sandbox,
    signal: AbortSignal,
  ) {
    this.#version = version;
    this.#services = services;
    this.#log = log;
    this.launch = launch;
    this.#sandbox = sandbox;
    this.#signal = signal;
  }

  /** Makes the sandbox; no process yet. `signal` ends this and every later start. */
  static async create(
    environmentId: string,
    version: FunctionVersion,
    services: GuestHostServices,
    log: EnvironmentLog,
    signal: AbortSignal,
  ): Promise<GuestHost> {
    const launch = await services.launcher.plan(version);
    const sandbox = await services.driver.create(
      {
        environmentId,
        directories: launch.directories,
        assignment: {
          ...launch.code,
          memoryMb: version.memoryMb,
          ephemeralStorageMb: version.ephemeralStorageMb,
        },
      },
      signal,
    );
    return new GuestHost(version, services, log, launch, sandbox, signal);
  }

  /** The process that lives; undefined before the first and after `discard`. */
  get guest(): Guest | undefined {
    return this.#guest;
  }

  /** The process that must live by what the caller knows; throws where it does not. */
  get liveGuest(): Guest {
    if (this.#guest === undefined)
      throw new Error('An environment that is ready must have a process');
    return this.#guest;
  }

  /** The most that the environment has held so far, over all its processes. */
  get memoryPeakMb(): number {
    return Math.ceil((this.#sandbox.memoryPeakBytes() ?? 0) / 1_048_576);
  }

  /** Init has the machine's whole CPU; from now on the share follows the memory setting. */
  limitCpu(): void {
    this.#sandbox.limitCpu(true);
  }

  /** Starts a process and has it load the function. Rejects where the platform cannot. */
  async startInit(timeoutMs: number): Promise<PendingInit> {
    const { paths } = this.#sandbox;
    const variables = this.#variables(paths);
    this.#sandbox.limitCpu(false);
    const guest = await Guest.start(
      this.#sandbox,
      this.launch.command(paths, variables),
      this.#log,
      this.#services.clock,
      this.#signal,
    );
    this.#guest = guest;
    return { booted: guest.booted(), ended: guest.init(this.#init(paths, variables), timeoutMs) };
  }

  /** Ends the process, with everything it started, and reads what it has still printed. */
  async discardGuest(): Promise<void> {
    const guest = this.#guest;
    if (guest === undefined) return;
    await guest.stop();
    this.#guest = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.discardGuest();
    await this.#sandbox[Symbol.asyncDispose]();
  }

  #variables(paths: GuestPaths): Record<string, string> {
    return environmentVariables({
      version: this.#version,
      paths,
      logStreamName: this.#log.logStreamName,
      endpoint: this.#services.endpoint(),
      ...(this.#services.hostPath !== undefined && { hostPath: this.#services.hostPath }),
    });
  }

  #init(paths: GuestPaths, environment: Record<string, string>): RuntimeInit {
    const version = this.#version;
    return {
      handler: version.handler,
      taskRoot: paths.task,
      runtime: version.runtime,
      environment,
      functionName: version.functionName,
      functionVersion: version.version,
      memoryLimitInMB: String(version.memoryMb),
      logGroupName: version.logGroupName,
      logStreamName: this.#log.logStreamName,
      warnings: this.launch.warnings,
    };
  }
}
