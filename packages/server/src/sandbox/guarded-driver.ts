import {
  type GuestCommand,
  type GuestPaths,
  type GuestProcess,
  type Sandbox,
  type SandboxDriver,
  type SandboxEnforcement,
  SandboxError,
  type SandboxSpec,
} from './sandbox.ts';

/**
 * What a driver has to bring; the rest of the port is the guard's. `start` is called one at a time
 * and never after dispose; dispose is called once, when no process is left.
 */
export interface DriverCore {
  readonly name: SandboxDriver['name'];
  readonly enforcement: SandboxEnforcement;
  create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  sweep(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

const ENVIRONMENT_ID = /^[a-z0-9-]{1,64}$/;

/** Gives any driver the rules of the port: checked input, one process at a time, a dead state. */
export class GuardedDriver implements SandboxDriver {
  readonly name: SandboxDriver['name'];
  readonly enforcement: SandboxEnforcement;
  readonly #core: DriverCore;
  readonly #sandboxes = new Map<string, Promise<GuardedSandbox>>();
  readonly #dead = new AbortController();
  #disposed: Promise<void> | undefined;

  constructor(core: DriverCore) {
    this.name = core.name;
    this.enforcement = core.enforcement;
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
    return new GuardedSandbox(id, sandbox, () => this.#sandboxes.delete(id));
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

/** One sandbox with the rules of the port. */
class GuardedSandbox implements Sandbox {
  readonly paths: GuestPaths;
  readonly #id: string;
  readonly #inner: Sandbox;
  readonly #onDisposed: () => void;
  readonly #dead = new AbortController();
  #running: Promise<GuestProcess> | undefined;
  #disposed: Promise<void> | undefined;

  constructor(id: string, inner: Sandbox, onDisposed: () => void) {
    this.paths = inner.paths;
    this.#id = id;
    this.#inner = inner;
    this.#onDisposed = onDisposed;
  }

  async start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess> {
    if (this.#disposed !== undefined) {
      throw new SandboxError(`Cannot start process as sandbox ${this.#id} has been disposed`);
    }
    if (this.#running !== undefined) {
      throw new SandboxError(`Cannot start process as sandbox ${this.#id} has one that lives`);
    }
    checkCommand(command);
    const both = AbortSignal.any([signal, this.#dead.signal]);
    const running = withSandboxErrors(`start process in sandbox ${this.#id}`, both, () =>
      this.#inner.start(command, both),
    );
    this.#running = running;
    try {
      const process = await running;
      void process.exited.then(() => this.#clear(running));
      return process;
    } catch (error) {
      this.#clear(running);
      throw error;
    }
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.#disposed ??= this.#dispose();
    return this.#disposed;
  }

  async #dispose(): Promise<void> {
    this.#dead.abort(new SandboxError(`Sandbox ${this.#id} has been disposed`));
    const process = await this.#running?.catch(() => undefined);
    await process?.kill();
    try {
      await withSandboxErrors(`dispose sandbox ${this.#id}`, undefined, () =>
        this.#inner[Symbol.asyncDispose](),
      );
    } finally {
      this.#onDisposed();
    }
  }

  #clear(process: Promise<GuestProcess>): void {
    if (this.#running === process) this.#running = undefined;
  }
}

async function withSandboxErrors<Result>(
  action: string,
  signal: AbortSignal | undefined,
  work: () => Promise<Result>,
): Promise<Result> {
  try {
    if (signal?.aborted === true)
      throw new SandboxError('it was aborted', { cause: signal.reason });
    return await work();
  } catch (error) {
    if (error instanceof SandboxError && error.message.startsWith('Cannot ')) throw error;
    const reason = error instanceof Error ? error.message : String(error);
    throw new SandboxError(`Cannot ${action}: ${reason}`, { cause: error });
  }
}

function checkSpec(spec: SandboxSpec): void {
  if (!ENVIRONMENT_ID.test(spec.environmentId)) {
    throw new SandboxError(
      `Cannot create sandbox as environmentId must match ${ENVIRONMENT_ID.source}: received ${JSON.stringify(spec.environmentId)}`,
    );
  }
  for (const name of ['memoryMb', 'ephemeralStorageMb'] as const) {
    const value = spec[name];
    if (!Number.isSafeInteger(value) || value < 1) {
      throw new SandboxError(
        `Cannot create sandbox as ${name} must be a whole number >= 1: received ${value}`,
      );
    }
  }
}

function checkCommand(command: GuestCommand): void {
  const texts = [
    command.cwd,
    ...command.argv,
    ...Object.keys(command.environment),
    ...Object.values(command.environment),
  ];
  if (texts.some((text) => text.includes('\0'))) {
    throw new SandboxError('Cannot start process as its command must not contain a NUL character');
  }
  const key = Object.keys(command.environment).find((name) => name === '' || name.includes('='));
  if (key !== undefined) {
    throw new SandboxError(
      `Cannot start process as names of environment variables must not be empty or contain "=": received ${JSON.stringify(key)}`,
    );
  }
}
