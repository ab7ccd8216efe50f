import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../../files/remove-tree.ts';
import type { DriverCore } from '../guarded-driver.ts';
import { GuardedDriver } from '../guarded-driver.ts';
import { HostNetwork } from '../host-network.ts';
import { ProgramPeaks } from '../program-peaks.ts';
import { ServerInstance } from '../server-instance.ts';
import type {
  GuestCommand,
  GuestPaths,
  GuestProcess,
  Sandbox,
  SandboxAssignment,
  SandboxDriver,
  SandboxSpec,
} from '../sandbox.ts';
import { enforcementOf } from '../enforcement-facts.ts';
import { startProcessGuest, type StoppableGuest } from './process-guest.ts';

/**
 * Plain child processes, for development on any system: a function sees and may do whatever the
 * server may. On Linux everything that a function started is found and ended with it; elsewhere
 * a process that has left its group survives.
 *
 * @param dataDir absolute; the sandboxes' folders are made in `run` below it
 */
export async function openProcessDriver(dataDir: string): Promise<SandboxDriver> {
  return new GuardedDriver(new ProcessDriver(await ServerInstance.open(dataDir)));
}

class ProcessDriver implements DriverCore {
  readonly name = 'process';
  readonly enforcement = enforcementOf([]);
  readonly capabilities = { assignsRunning: true, forksGuests: false };
  readonly #instance: ServerInstance;

  constructor(instance: ServerInstance) {
    this.#instance = instance;
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const folder = join(this.#instance.folder, spec.environmentId);
    const empty = join(folder, 'empty');
    const { runtime = empty, language = empty } = spec.directories;
    const { task = empty, opt = empty, cache = empty } = spec.assignment ?? {};
    const paths = { runtime, language, task, opt, cache, tmp: join(folder, 'tmp') };
    try {
      await mkdir(paths.tmp, { recursive: true });
      await chmod(paths.tmp, 0o1777);
      await mkdir(empty);
      signal.throwIfAborted();
    } catch (error) {
      await removeTree(folder);
      throw error;
    }
    return new ProcessSandbox(folder, paths, this.#instance);
  }

  sweep(): Promise<void> {
    return this.#instance.sweepDead();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#instance[Symbol.asyncDispose]();
  }
}

class ProcessSandbox implements Sandbox {
  readonly network = new HostNetwork();
  readonly #folder: string;
  readonly #instance: ServerInstance;
  readonly #peaks = new ProgramPeaks();
  readonly #living = new Set<StoppableGuest>();
  #paths: GuestPaths;

  constructor(folder: string, paths: GuestPaths, instance: ServerInstance) {
    this.#folder = folder;
    this.#paths = paths;
    this.#instance = instance;
  }

  get paths(): GuestPaths {
    return this.#paths;
  }

  async assign({ task, opt, cache }: SandboxAssignment): Promise<void> {
    const { opt: noOpt, cache: noCache } = this.#paths;
    this.#paths = { ...this.#paths, task, opt: opt ?? noOpt, cache: cache ?? noCache };
    this.#peaks.restart();
  }

  async start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess> {
    signal.throwIfAborted();
    const company = { peaks: this.#peaks, living: this.#living };
    return startProcessGuest(command, this.#instance.tagPlan(), company);
  }

  limitCpu(): void {}

  memoryPeakBytes(): number | undefined {
    return this.#peaks.read();
  }

  freeze(): void {
    for (const guest of this.#living) guest.setStopped(true);
  }

  thaw(): void {
    for (const guest of this.#living) guest.setStopped(false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    await removeTree(this.#folder);
  }
}
