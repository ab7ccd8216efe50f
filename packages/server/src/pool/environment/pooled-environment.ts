import type { FunctionVersion } from '../../domain/function.ts';
import type { EndReason } from './environment-state.ts';

/** What the pool needs of an environment. */
export interface PooledEnvironment {
  readonly version: FunctionVersion;
  /** When it was made, on the clock's monotonic scale. */
  readonly createdMs: number;
  /** When it was freed last, on the clock's monotonic scale; kept by the pool. */
  idleSinceMs: number;
  /** Ends it; its owner's `onEnded` is called when it is gone. Never rejects. */
  end(reason: EndReason): Promise<void>;
}

/** Who is told that an environment can take the next event, or never will again. */
export interface EnvironmentOwner<E> {
  /** It has answered, and is free once its runtime, or an extension, has finished. */
  onAnswered(environment: E): void;
  onFree(environment: E): void;
  onEnded(environment: E): void;
}
