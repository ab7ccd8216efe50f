import { functionArn } from '../domain/function.ts';
import type { ColdStart } from './environment/environment-events.ts';
import type { EnvironmentState } from './environment/environment-state.ts';
import type { Environment } from './environment/environment.ts';

/** An environment as operators see it. */
export interface EnvironmentView {
  readonly id: string;
  readonly functionArn: string;
  readonly version: string;
  readonly runtime: string;
  readonly memoryMb: number;
  readonly logStreamName: string;
  readonly state: EnvironmentState;
  /** How many events it has been given. */
  readonly uses: number;
  readonly coldStart?: ColdStart;
}

export function viewOf(environment: Environment): EnvironmentView {
  const { id, version, logStreamName, state, uses, coldStart } = environment;
  return {
    id,
    functionArn: functionArn(version),
    version: version.version,
    runtime: version.runtime,
    memoryMb: version.memoryMb,
    logStreamName,
    state,
    uses,
    ...(coldStart !== undefined && { coldStart }),
  };
}
