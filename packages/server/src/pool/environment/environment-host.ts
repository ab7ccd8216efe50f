import type { Socket } from 'node:net';
import type { FunctionVersion } from '../../domain/function.ts';
import type { Sandbox, SandboxAssignment } from '../../sandbox/sandbox.ts';
import type { EnvironmentReport } from './environment-report.ts';
import type { EnvironmentHostServices } from './environment-services.ts';
import { codeCacheKey } from '../launch/code-cache-key.ts';
import { EnvironmentDoors } from '../guest/environment-doors.ts';
import { environmentVariables, extensionVariables } from '../launch/environment-variables.ts';
import { FunctionCodeCache } from './function-code-cache.ts';
import type { Guest } from '../guest/guest.ts';
import { GuestApis } from '../guest/guest-apis.ts';
import { GuestLife, type LifeEnd } from './guest-life.ts';
import type { RuntimeLaunch } from '../launch/runtime-launcher.ts';
import type { StartSlot } from '../workers/start-gate.ts';
import { externalExtensionFiles, type ExtensionFile } from '../guest/external-extension-files.ts';
import { workerKindOf } from '../workers/worker-kind.ts';

/** An environment's sandbox, with one life of its processes after the other. */
export class EnvironmentHost implements AsyncDisposable {
  readonly launch: RuntimeLaunch;
  readonly startedFrom: 'pooled' | 'direct';
  readonly #version: FunctionVersion;
  readonly #services: EnvironmentHostServices;
  readonly #report: EnvironmentReport;
  readonly #sandbox: Sandbox;
  readonly #doors: EnvironmentDoors;
  readonly #signal: AbortSignal;
  readonly #codeCache: FunctionCodeCache | undefined;
  readonly #extensions: readonly ExtensionFile[];
  #booted: Guest | undefined;
  #life: GuestLife | undefined;
  #apis: GuestApis | undefined;

  private constructor(
    version: FunctionVersion,
    services: EnvironmentHostServices,
    report: EnvironmentReport,
    launch: RuntimeLaunch,
    sandbox: Sandbox,
    doors: EnvironmentDoors,
    codeCache: FunctionCodeCache | undefined,
    extensions: readonly ExtensionFile[],
    booted: Guest | undefined,
    signal: AbortSignal,
  ) {
    this.#version = version;
    this.#services = services;
    this.#report = report;
    this.launch = launch;
    this.#sandbox = sandbox;
    this.#doors = doors;
    doors.directRuntimeApi((socket) => this.#attach(socket));
    this.#codeCache = codeCache;
    this.#extensions = extensions;
    this.#booted = booted;
    this.startedFrom = booted === undefined ? 'direct' : 'pooled';
    this.#signal = signal;
  }

  /**
   * Takes a booted worker, or makes a sandbox when it is its turn; no life yet. `onAllocated` hears
   * that the waiting is over. `signal` ends this and every later start.
   */
  static async create(
    environmentId: string,
    version: FunctionVersion,
    services: EnvironmentHostServices,
    report: EnvironmentReport,
    signal: AbortSignal,
    onAllocated: (slot: StartSlot | undefined) => void,
  ): Promise<EnvironmentHost> {
    const { launcher, workers, startGate, driver, acceptFromFunction } = services;
    const launch = await launcher.plan(version);
    const codeCache = functionCodeCache(launch, version, services);
    const assignment: SandboxAssignment = {
      ...launch.code,
      ...(codeCache?.folder !== undefined && { cache: codeCache.folder }),
      memoryMb: version.memoryMb,
      ephemeralStorageMb: version.ephemeralStorageMb,
    };
    const extensions = await externalExtensionFiles({
      task: launch.code.task,
      opt: launch.code.opt,
    });
    const kind = workerKindOf(launch, version);
    const worker = kind === undefined ? undefined : workers.take(kind);
    let sandbox: Sandbox;
    if (worker === undefined) {
      onAllocated(await startGate.enter());
      const { directories } = launch;
      sandbox = await driver.create({ environmentId, directories, assignment }, signal);
    } else {
      onAllocated(undefined);
      sandbox = worker.sandbox;
    }
    try {
      if (worker !== undefined) await sandbox.assign(assignment);
      return new EnvironmentHost(
        version,
        services,
        report,
        launch,
        sandbox,
        worker?.doors ?? (await EnvironmentDoors.open(sandbox.network, acceptFromFunction)),
        codeCache,
        extensions,
        worker?.guest,
        signal,
      );
    } catch (error) {
      await sandbox[Symbol.asyncDispose]();
      throw error;
    }
  }

  /** The life that goes on; undefined before the first and after each end of one. */
  get life(): GuestLife | undefined {
    return this.#life;
  }

  /** The life that must go on by what the caller knows; throws where none does. */
  get currentLife(): GuestLife {
    if (this.#life === undefined)
      throw new Error('An environment that is ready must have a process');
    return this.#life;
  }

  /** The most that the environment has held so far, over all its lives, in MB. */
  get memoryPeakMb(): number {
    return Math.ceil((this.#sandbox.memoryPeakBytes() ?? 0) / 1_048_576);
  }

  /** Begins a life, which still has to be initialised, with the machine's whole CPU. */
  beginLife(): GuestLife {
    const version = this.#version;
    const { clock } = this.#services;
    const { launch } = this;
    const { paths, network } = this.#sandbox;
    const variables = environmentVariables({
      version,
      paths,
      logStreamName: this.#report.logStreamName,
      endpoint: this.#endpoint(),
      runtimeApi: this.#doors.runtimeApi,
      ...(this.#services.hostPath !== undefined && { hostPath: this.#services.hostPath }),
    });
    const apis = new GuestApis({
      version,
      protocol: launch.protocol,
      network,
      clock,
      onSubscribed: (...subscription) => this.#report.subscribed(...subscription),
    });
    this.#report.direct(apis.telemetry);
    this.#apis = apis;
    const init = this.#runtimeInit(variables);
    this.#sandbox.limitCpu(false);
    const booted = this.#booted;
    this.#booted = undefined;
    this.#life = new GuestLife({
      version,
      sandbox: this.#sandbox,
      apis,
      clock,
      signal: this.#signal,
      command: launch.command(paths, variables),
      launchFailure: launch.failure,
      extensions: this.#extensions,
      extensionCommand: (name) => ({
        argv: [`${paths.opt}/extensions/${name}`],
        environment: extensionVariables(variables),
        cwd: paths.task,
        descriptors: 'standard',
      }),
      functionOutput: this.#report.functionOutput,
      extensionOutput: this.#report.extensionOutput,
      init,
      ...(booted !== undefined && { booted }),
    });
    return this.#life;
  }

  /** Call with how the init of a life has ended. */
  initEnded(end: LifeEnd): void {
    this.#codeCache?.initEnded(end);
  }

  /** Call after each answer: what the function has compiled is sent after the first. */
  eventAnswered(): void {
    const isAwaited = this.#codeCache?.awaitDelivery(() => this.#sandbox.limitCpu(true));
    if (isAwaited === true) this.#sandbox.limitCpu(false);
  }

  /** True while the bootstrap, not the function, is at work between two events: not to be frozen. */
  get isDelivering(): boolean {
    return this.#codeCache?.isDelivering === true;
  }

  /** Init had the machine's whole CPU; from now on the share follows the memory setting. */
  limitCpu(): void {
    this.#sandbox.limitCpu(true);
  }

  /** Nothing of the function runs, and nothing is sent to it, until `thaw`. */
  freeze(): void {
    this.#apis?.telemetry.pause();
    this.#sandbox.freeze();
  }

  thaw(): void {
    this.#sandbox.thaw();
    this.#apis?.telemetry.resume();
  }

  /** Ends the life, if one goes on: in AWS's order where a reason is given, at once otherwise. */
  async endLife(reason?: Parameters<GuestLife['shutDown']>[0]): Promise<void> {
    const life = this.#life;
    if (life === undefined) return;
    await (reason === undefined ? life.kill() : life.shutDown(reason));
    if (this.#life === life) this.#life = undefined;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.endLife();
    this.#codeCache?.[Symbol.dispose]();
    await this.#booted?.stop();
    await this.#sandbox[Symbol.asyncDispose]();
  }

  /** Of this server, for the function's own SDK clients. */
  #endpoint(): string {
    const { endpoint, functionEndpoint } = this.#services;
    if (functionEndpoint !== undefined) return functionEndpoint;
    const { serverApi } = this.#doors;
    return serverApi === undefined ? endpoint() : `http://${serverApi}`;
  }

  /** Between two lives nobody is there to be talked to. */
  #attach(socket: Socket): void {
    if (this.#life === undefined || this.#apis === undefined) socket.destroy();
    else this.#apis.attach(socket);
  }

  #runtimeInit(environment: Record<string, string>) {
    const version = this.#version;
    return {
      handler: version.handler,
      taskRoot: this.#sandbox.paths.task,
      optRoot: this.#sandbox.paths.opt,
      runtime: version.runtime,
      environment,
      functionName: version.functionName,
      functionVersion: version.version,
      memoryLimitInMB: String(version.memoryMb),
      logGroupName: version.logGroupName,
      logStreamName: this.#report.logStreamName,
      warnings: this.launch.warnings,
      ...(this.#codeCache !== undefined && {
        codeCache: this.#codeCache.terms(this.#sandbox.paths.cache),
      }),
    };
  }
}

function functionCodeCache(
  launch: RuntimeLaunch,
  version: FunctionVersion,
  { codeCaches, clock }: EnvironmentHostServices,
): FunctionCodeCache | undefined {
  const key = codeCaches === undefined ? undefined : codeCacheKey(launch, version);
  if (codeCaches === undefined || key === undefined) return undefined;
  return new FunctionCodeCache(codeCaches, key, clock);
}
