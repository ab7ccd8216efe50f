import { GuardedSandbox } from './guarded-sandbox.ts';
import {
  type Sandbox,
  type SandboxCapabilities,
  type SandboxDriver,
  type SandboxEnforcement,
  SandboxError,
  type SandboxSpec,
} from './sandbox.ts';
import { withSandboxErrors } from './sandbox-faults.ts';
import { checkSpec } from './sandbox-input.ts';

/**
 * What a driver has to bring; the rest of the port is the guard's. Of a sandbox of it, `assign` is
 * called once at most, for one that was created without assignment; `start` never while it is
 * frozen; nothing but `memoryPeakBytes` after dispose; dispose once, when no process is left.
 */
export interface DriverCore {
  readonly name: SandboxDriver['name'];
  readonly enforcement: SandboxEnforcement;
  readonly capabilities: SandboxCapabilities;
  create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  sweep(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** Gives any driver the rules of the port: checked input, one assignment, a dead state. */
export class GuardedDriver implements SandboxDriver {
  readonly name: SandboxDriver['name'];
  readonly enforcement: SandboxEnforcement;
  readonly capabilities: SandboxCapabilities;
  readonly #core: DriverCore;
  readonly #sandboxes = new Map<string, Promise<GuardedSandbox>>();
  readonly #dead = new AbortController();
  #disposed: Promise<void> | undefined;

  constructor(core: DriverCore) {
    this.name = core.name;
    this.enforcement = core.enforcement;
    this.capabilities = core.capabilities;
    this.#core = core;
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    if (this.#disposed !== undefined) {
      throw new SandboxError('Cannot create sandbox as the driver has been disposed');
    }
    checkSpec(spec);
    const id = spec.environmentId;
    if (this.#sandboxes.has(id)) {
      throw new SandboxError(`Cannot create sandbox as environment ${id} already has one`);
    }
    const created = this.#create(spec, AbortSignal.any([signal, this.#dead.signal]));
    this.#sandboxes.set(id, created);
    try {
      return await created;
    } catch (error) {
      this.#sandboxes.delete(id);
      throw error;
    }
  }

  async #create(spec: SandboxSpec, signal: AbortSignal): Promise<GuardedSandbox> {
    const id = spec.environmentId;
    const sandbox = await withSandboxErrors(`create sandbox ${id}`, signal, () =>
      this.#core.create(spec, signal),
    );
    return new GuardedSandbox(sandbox, {
      environmentId: id,
      isAssigned: spec.assignment !== undefined,
      assignsRunning: this.capabilities.assignsRunning,
      onDisposed: () => this.#sandboxes.delete(id),
    });
  }

  sweep(): Promise<void> {
    return withSandboxErrors('sweep', undefined, () => this.#core.sweep());
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#dead.abort(new SandboxError('The driver has been disposed'));
    const outcomes = await Promise.allSettled(
      [...this.#sandboxes.values()].map(async (created) => {
        const sandbox = await created.catch(() => undefined);
        await sandbox?.[Symbol.asyncDispose]();
      }),
    );
    await withSandboxErrors('dispose driver', undefined, () => this.#core[Symbol.asyncDispose]());
    const failed = outcomes.find((outcome) => outcome.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  }
}
