import type { CodeStore } from '../artifacts/code-store.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import type { FunctionRegistry } from '../domain/function-registry.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { EnvironmentPool } from './environment-pool.ts';

/** Pause after a change, so that many updates in a row are followed by one look. */
const DELAY_MS = 5_000;

/** Removes code that no function and no living environment uses any more. */
export class CodeCollector implements Disposable {
  readonly #registry: FunctionRegistry;
  readonly #pool: EnvironmentPool;
  readonly #codeStore: CodeStore;
  readonly #clock: Clock;
  readonly #onFault: (error: unknown) => void;
  readonly #unsubscribe: () => void;
  #timer: Timer | undefined;

  constructor(
    registry: FunctionRegistry,
    pool: EnvironmentPool,
    codeStore: CodeStore,
    clock: Clock,
    onFault: (error: unknown) => void,
  ) {
    this.#registry = registry;
    this.#pool = pool;
    this.#codeStore = codeStore;
    this.#clock = clock;
    this.#onFault = onFault;
    this.#unsubscribe = registry.onChange(() => this.#schedule());
    this.#schedule();
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
    this.#timer?.cancel();
  }

  #schedule(): void {
    this.#timer ??= this.#clock.startTimer(DELAY_MS, () => {
      this.#timer = undefined;
      this.#codeStore.retain(this.#inUse()).catch(this.#onFault);
    });
  }

  #inUse(): Set<string> {
    const used = new Set<string>();
    const add = ({ code }: FunctionVersion): void => {
      if (code.kind === 'archive') used.add(code.sha256);
    };
    for (const version of this.#registry.all()) add(version);
    for (const version of this.#pool.versionsInUse()) add(version);
    return used;
  }
}
