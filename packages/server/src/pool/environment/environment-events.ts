import type { FunctionVersion } from '../../domain/function.ts';
import type { EnvironmentEvent, EnvironmentState } from './environment-state.ts';

/** How long the three parts of a cold start took, in milliseconds. */
export interface ColdStart {
  /** `pooled`: a worker that had booted ahead took the function in. */
  readonly path: 'pooled' | 'direct';
  /** From the event's arrival until the environment may start: reading it, and waiting for its turn. */
  readonly allocationMs: number;
  /** Sandbox, code, process, bootstrap. */
  readonly setupMs: number;
  /** Extensions and the function's own init; the handler's first line follows. */
  readonly initMs: number;
}

/** One step in the life of an environment. */
export interface EnvironmentTransition {
  readonly environmentId: string;
  readonly version: FunctionVersion;
  readonly logStreamName: string;
  readonly event: EnvironmentEvent;
  readonly from: EnvironmentState;
  readonly to: EnvironmentState;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  /** With `init-succeeded` outside an event. */
  readonly coldStart?: ColdStart;
}

export type TransitionListener = (transition: EnvironmentTransition) => void;

/**
 * Tells who asked of every transition of every environment, in order and at once. A listener must
 * not throw and should only take note: it runs on the way of an event.
 */
export class EnvironmentEvents {
  readonly #listeners = new Set<TransitionListener>();

  /** False where nobody listens, so that nothing needs to be put together. */
  get isObserved(): boolean {
    return this.#listeners.size > 0;
  }

  /** Gives the function that ends the subscription. */
  subscribe(listener: TransitionListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  publish(transition: EnvironmentTransition): void {
    for (const listener of this.#listeners) listener(transition);
  }
}
