import { randomUUID } from 'node:crypto';
import { stat } from 'node:fs/promises';
import type { CodeStore } from '../artifacts/code-store.ts';
import type { Clock, Timer } from '../clock/clock.ts';
import type { FunctionRegistry } from '../domain/function-registry.ts';
import type { FunctionVersion } from '../domain/function.ts';
import { ServiceError } from '../domain/service-error.ts';

export interface FunctionActivationOptions {
  readonly registry: FunctionRegistry;
  readonly codeStore: Pick<CodeStore, 'has'>;
  readonly clock: Clock;
  /** Makes what the function will start faster with; never rejects. */
  readonly prepare?: (version: FunctionVersion) => Promise<void>;
  /** Told where an activation could not be stored; it is tried again. */
  readonly onFault: (error: unknown) => void;
}

/** Pause before an activation that could not be stored is tried again. */
const RETRY_DELAY_MS = 1_000;

/**
 * Ends the transitional states that Create and Update leave a function in: Pending becomes Active,
 * an update that is InProgress becomes Successful, or either becomes Failed where the code is not
 * there. What is in between is in the registry, so that a server that was killed goes on with it.
 */
export class FunctionActivation implements Disposable {
  readonly #options: FunctionActivationOptions;
  readonly #timers = new Set<Timer>();
  #disposed = false;

  constructor(options: FunctionActivationOptions) {
    this.#options = options;
  }

  /** Takes up what an earlier server left unfinished. Call once, before requests are served. */
  resume(): void {
    for (const version of this.#options.registry.all()) {
      if (isTransitional(version)) this.schedule(version);
    }
  }

  /**
   * Finishes the state that `version` is in. Settles when that is stored; where it could not be, it
   * is tried again later. A version that has been replaced is left alone.
   */
  async activate(version: FunctionVersion): Promise<void> {
    try {
      await this.#finish(version);
    } catch (error) {
      if (error instanceof ServiceError) return; // deleted or replaced meanwhile
      this.#options.onFault(error);
      this.schedule(version, RETRY_DELAY_MS);
    }
  }

  /** Finishes the state that `version` is in, soon. */
  schedule(version: FunctionVersion, delayMs = 0): void {
    if (this.#disposed) return;
    const timer = this.#options.clock.startTimer(delayMs, () => {
      this.#timers.delete(timer);
      void this.activate(version);
    });
    this.#timers.add(timer);
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    for (const timer of this.#timers) timer.cancel();
    this.#timers.clear();
  }

  async #finish(version: FunctionVersion): Promise<void> {
    const { registry } = this.#options;
    const fault = (await this.#codeFault(version)) ?? (await this.#layerFault(version));
    if (fault === undefined) await this.#options.prepare?.(version);
    const finished = fault === undefined ? succeeded(version) : failed(version, fault);
    await registry.replace(finished, version.revisionId);
  }

  async #codeFault({ code }: FunctionVersion): Promise<string | undefined> {
    if (code.kind === 'archive') {
      if (await this.#options.codeStore.has(code.sha256)) return undefined;
      return 'The code of the function is not on this server. Update the function code to recover.';
    }
    const found = await stat(code.directory).catch(() => undefined);
    if (found?.isDirectory() === true) return undefined;
    return 'The folder of the function is not there. Update the function code to recover.';
  }

  async #layerFault({ layers = [] }: FunctionVersion): Promise<string | undefined> {
    for (const { arn, sha256 } of layers) {
      if (await this.#options.codeStore.has(sha256)) continue;
      return `The content of layer ${arn} is not on this server. Update the function's layers to recover.`;
    }
    return undefined;
  }
}

function isTransitional({ state, lastUpdateStatus }: FunctionVersion): boolean {
  return state === 'Pending' || lastUpdateStatus === 'InProgress';
}

/** AWS gives a new revision here too: the one that Create answered is not the Active function's. */
function succeeded(version: FunctionVersion): FunctionVersion {
  const {
    stateReason: _stateReason,
    stateReasonCode: _stateReasonCode,
    lastUpdateStatusReason: _updateReason,
    lastUpdateStatusReasonCode: _updateReasonCode,
    ...settled
  } = version;
  return { ...settled, revisionId: randomUUID(), state: 'Active', lastUpdateStatus: 'Successful' };
}

function failed(version: FunctionVersion, reason: string): FunctionVersion {
  const updated: FunctionVersion = {
    ...version,
    revisionId: randomUUID(),
    lastUpdateStatus: 'Failed',
    lastUpdateStatusReason: reason,
    lastUpdateStatusReasonCode: 'InternalError',
  };
  if (version.state !== 'Pending') return updated;
  return { ...updated, state: 'Failed', stateReason: reason, stateReasonCode: 'InternalError' };
}
