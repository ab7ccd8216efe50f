import type { FunctionIdentity, FunctionVersion } from './function.ts';

/** What happened to a function; environments of older generations are retired on either. */
export type FunctionChange =
  | { readonly kind: 'changed'; readonly version: FunctionVersion }
  | { readonly kind: 'deleted'; readonly identity: FunctionIdentity };

/**
 * The functions of this server, in memory for the invoke path and durable behind it. Every write
 * settles only after it is stored.
 */
export interface FunctionRegistry {
  /** `$LATEST` of a function; constant time however many functions there are. */
  get(identity: FunctionIdentity): FunctionVersion | undefined;
  /** All functions of an account and region, by name in ascending order. */
  list(accountId: string, region: string): FunctionVersion[];
  /** Every function of the server; for its start and for cleaning up. */
  all(): Iterable<FunctionVersion>;
  /** Rejects with ResourceConflictException where the name is taken. */
  insert(version: FunctionVersion): Promise<void>;
  /** Rejects with PreconditionFailedException where the revision has moved on, ResourceNotFoundException where it is gone. */
  replace(version: FunctionVersion, expectedRevisionId: string): Promise<void>;
  /** Rejects with ResourceNotFoundException. */
  delete(identity: FunctionIdentity): Promise<void>;
  /** Calls `listener` after each stored change; the returned function ends it. */
  onChange(listener: (change: FunctionChange) => void): () => void;
}
