import type { GuestNetwork } from './guest-network.ts';
import {
  type GuestCommand,
  type GuestPaths,
  type GuestProcess,
  type Sandbox,
  type SandboxAssignment,
  SandboxError,
} from './sandbox.ts';
import { checkAssignment, checkCommand } from './sandbox-input.ts';
import { withSandboxErrors } from './sandbox-faults.ts';

/** What the guard knows of a sandbox beyond what the driver's own object tells. */
export interface GuardedTerms {
  readonly environmentId: string;
  readonly isAssigned: boolean;
  readonly assignsRunning: boolean;
  readonly onDisposed: () => void;
}

/** One sandbox with the rules of the port. */
export class GuardedSandbox implements Sandbox {
  readonly #terms: GuardedTerms;
  readonly #inner: Sandbox;
  readonly #dead = new AbortController();
  readonly #starting = new Set<Promise<GuestProcess>>();
  readonly #running = new Set<GuestProcess>();
  #assigned: boolean;
  /** Settles, and never rejects, when an assignment that is under way is done. */
  #assigning: Promise<unknown> | undefined;
  #frozen = false;
  #disposed: Promise<void> | undefined;

  constructor(inner: Sandbox, terms: GuardedTerms) {
    this.#inner = inner;
    this.#terms = terms;
    this.#assigned = terms.isAssigned;
  }

  get paths(): GuestPaths {
    return this.#inner.paths;
  }

  get network(): GuestNetwork {
    return this.#inner.network;
  }

  async assign(assignment: SandboxAssignment): Promise<void> {
    const { environmentId } = this.#terms;
    this.#checkAlive(`assign sandbox ${environmentId}`);
    if (this.#assigned) {
      throw new SandboxError(`Cannot assign sandbox ${environmentId} as it has been assigned`);
    }
    checkAssignment(assignment);
    this.#assigned = true;
    const assigned = withSandboxErrors(`assign sandbox ${environmentId}`, this.#dead.signal, () =>
      this.#inner.assign(assignment),
    );
    this.#assigning = assigned.catch(() => {});
    await assigned;
  }

  async start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess> {
    const { environmentId, assignsRunning } = this.#terms;
    const action = `start process in sandbox ${environmentId}`;
    this.#checkAlive(action);
    if (this.#frozen) throw new SandboxError(`Cannot ${action} as it is frozen`);
    if (!this.#assigned && !assignsRunning) {
      throw new SandboxError(`Cannot ${action} as it must be assigned before`);
    }
    checkCommand(command);
    const both = AbortSignal.any([signal, this.#dead.signal]);
    const starting = withSandboxErrors(action, both, () => this.#inner.start(command, both));
    this.#starting.add(starting);
    try {
      const process = await starting;
      this.#running.add(process);
      void process.exited.then(() => this.#running.delete(process));
      return process;
    } finally {
      this.#starting.delete(starting);
    }
  }

  limitCpu(limited: boolean): void {
    if (this.#disposed === undefined) this.#inner.limitCpu(limited);
  }

  memoryPeakBytes(): number | undefined {
    return this.#inner.memoryPeakBytes();
  }

  freeze(): void {
    if (this.#disposed !== undefined) return;
    this.#frozen = true;
    this.#inner.freeze();
  }

  thaw(): void {
    if (this.#disposed !== undefined) return;
    this.#frozen = false;
    this.#inner.thaw();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    const { environmentId, onDisposed } = this.#terms;
    this.#dead.abort(new SandboxError(`Sandbox ${environmentId} has been disposed`));
    await Promise.allSettled([this.#assigning, ...this.#starting]);
    await Promise.all([...this.#running].map((process) => process.kill()));
    try {
      await withSandboxErrors(`dispose sandbox ${environmentId}`, undefined, () =>
        this.#inner[Symbol.asyncDispose](),
      );
    } finally {
      onDisposed();
    }
  }

  #checkAlive(action: string): void {
    if (this.#disposed === undefined) return;
    throw new SandboxError(`Cannot ${action} as it has been disposed`);
  }
}
