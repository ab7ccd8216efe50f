import type { FunctionRegistry } from '../../domain/function-registry.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import type { RuntimeLauncher } from '../launch/runtime-launcher.ts';
import { workerKindOf } from './worker-kind.ts';
import type { WorkerPool } from './worker-pool.ts';

/** A server with very many functions looks at those that were changed last. */
const MAX_LOOKED_AT = 200;

/**
 * Has workers started for functions that may soon be called for the first time: those that were just
 * deployed, and at start those that are there.
 */
export class WorkerPreparation implements Disposable {
  readonly #launcher: RuntimeLauncher;
  readonly #workers: WorkerPool;
  readonly #bootstrapsMade: () => Promise<void>;
  readonly #onFault: (cause: unknown) => void;
  readonly #unsubscribe: () => void;
  #disposed = false;

  /** @param bootstrapsMade settles when no bootstrap is being compiled any more */
  constructor(
    registry: FunctionRegistry,
    launcher: RuntimeLauncher,
    workers: WorkerPool,
    bootstrapsMade: () => Promise<void>,
    onFault: (cause: unknown) => void,
  ) {
    this.#launcher = launcher;
    this.#workers = workers;
    this.#bootstrapsMade = bootstrapsMade;
    this.#onFault = onFault;
    this.#unsubscribe = registry.onChange((change) => {
      if (change.kind !== 'deleted' && change.version.state === 'Active') {
        void this.#prepare([change.version]);
      }
    });
    const latest = [...registry.all()].toSorted((a, b) => b.lastModifiedMs - a.lastModifiedMs);
    void this.#prepare(latest.slice(0, MAX_LOOKED_AT));
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#unsubscribe();
  }

  async #prepare(versions: readonly FunctionVersion[]): Promise<void> {
    if (!this.#workers.isOn) return;
    for (const version of versions) {
      if (this.#disposed) return;
      try {
        // The first look at an interpreter has a bootstrap compiled for it: workers run that one.
        await this.#launcher.plan(version);
        await this.#bootstrapsMade();
        const kind = workerKindOf(await this.#launcher.plan(version), version);
        if (kind !== undefined && !this.#disposed) this.#workers.expect(kind);
      } catch (error) {
        // A runtime that this machine lacks is told to whoever invokes the function.
        if (!(error instanceof Error && error.name === 'ServiceError')) this.#onFault(error);
      }
    }
  }
}
