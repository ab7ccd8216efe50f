import type { FunctionVersion } from '../domain/function.ts';
import type { Invocation, Outcome } from '../domain/invocation.ts';

/**
 * The one way to run a function: the API, and later the queue, the pollers and the gateways, all
 * call it.
 */
export interface Invoker {
  /**
   * Runs one event on an environment of `version`. A failure of the function is an Outcome; rejects
   * with a ServiceError where the event was not run: TooManyRequestsException when throttled,
   * ServiceException on a fault of the platform.
   */
  invoke(version: FunctionVersion, invocation: Invocation): Promise<Outcome>;
}
