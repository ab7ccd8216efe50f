import type { FunctionIdentity, FunctionVersion } from '../domain/function.ts';

/**
 * The durable registry of functions. Writes settle after they are safe on disk. The port is written
 * so that a database shared by several servers can implement it: a write names the revision that
 * it replaces.
 */
export interface FunctionStore extends AsyncDisposable {
  /** `$LATEST` of every function, for the registry's start. */
  loadAll(): Promise<FunctionVersion[]>;
  /** False where the function exists already. */
  insert(version: FunctionVersion): Promise<boolean>;
  /** Replaces `$LATEST`; false where its revision is no longer `expectedRevisionId`. */
  replace(version: FunctionVersion, expectedRevisionId: string): Promise<boolean>;
  /** False where there is no such function. */
  delete(identity: FunctionIdentity): Promise<boolean>;
  [Symbol.asyncDispose](): Promise<void>;
}
