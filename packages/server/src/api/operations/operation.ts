import type { CodeStore } from '../../artifacts/code-store.ts';
import type { LayerFolders } from '../../artifacts/layer-folders.ts';
import type { Clock } from '../../clock/clock.ts';
import type { FunctionRegistry } from '../../domain/function-registry.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import type { LayerRegistry } from '../../domain/layer-registry.ts';
import type { Caller } from '../protocol/caller.ts';
import type { ApiOutput } from '../protocol/operation-output.ts';
import type { ApiInput } from '../protocol/request-input.ts';

/** What operations work with. */
export interface OperationServices {
  readonly registry: FunctionRegistry;
  readonly codeStore: CodeStore;
  readonly layers: LayerRegistry;
  readonly layerFolders: Pick<LayerFolders, 'prepare'>;
  readonly clock: Clock;
  /**
   * Ends the Pending or InProgress state that a write left `version` in. The answer still tells that
   * state, as AWS does; it goes out when this settles, so that a waiter's first look finds its end.
   */
  readonly activate: (version: FunctionVersion) => Promise<void>;
  /** Why this machine cannot run a runtime, as one line; undefined where it can. */
  readonly runtimeAvailability?: (runtime: string) => Promise<string | undefined>;
  /** ARN for `RuntimeVersionConfig`; without it the key is left out. */
  readonly runtimeVersionArn?: (version: FunctionVersion) => string | undefined;
  /** Folders below which hot-reload may run code; any folder where this is left out. */
  readonly hotReloadRoots?: readonly string[];
}

/** One call of an operation. */
export interface OperationCall extends OperationServices {
  readonly operation: string;
  readonly caller: Caller;
  /** Account of callers whose access key id does not say which. */
  readonly defaultAccountId: string;
  /** `http://127.0.0.1:4566`, as the caller reached the server. */
  readonly endpoint: string;
  /** A function calls by the address that its own network has for it. */
  readonly isFromFunction: boolean;
}

interface Operation {
  // A method, so that a handler may state the members that it reads: the shape has checked them.
  handle(input: ApiInput, call: OperationCall): ApiOutput | Promise<ApiOutput>;
}

/**
 * Carries out an operation on an input that has passed the model's types and constraints. Throws
 * ServiceErrors.
 */
export type OperationHandler = Operation['handle'];
