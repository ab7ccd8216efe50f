import { parseFunctionName } from '../../domain/function-name.ts';
import type { FunctionRegistry } from '../../domain/function-registry.ts';
import { functionArn, type FunctionIdentity, type FunctionVersion } from '../../domain/function.ts';
import { ServiceError } from '../../domain/service-error.ts';
import type { Caller } from '../protocol/caller.ts';
import { validationError, violation } from '../protocol/constraints.ts';

/** The function that a request is about. */
export interface FunctionTarget {
  readonly identity: FunctionIdentity;
  /** As the caller gave it, in the name or beside it. */
  readonly qualifier?: string;
}

/**
 * Resolves a name, partial ARN or ARN with the qualifier beside it. Throws ServiceErrors where they
 * contradict each other, or name a region or an account that is not the caller's.
 */
export function resolveTarget(
  operation: string,
  caller: Caller,
  name: string,
  qualifierBeside?: string,
): FunctionTarget {
  const parsed = parseFunctionName(name);
  if (parsed === undefined) {
    const constraint = 'Member must satisfy regular expression pattern: a function name or ARN';
    throw validationError([violation(`'${name.slice(0, 256)}'`, 'functionName', constraint)]);
  }
  const { functionName, qualifier: qualifierInside } = parsed;
  const beside = qualifierBeside === '' ? undefined : qualifierBeside;
  if (beside !== undefined && qualifierInside !== undefined && beside !== qualifierInside) {
    throw new ServiceError(
      'InvalidParameterValueException',
      'The derived qualifier from the function name does not match the specified qualifier.',
    );
  }
  const region = parsed.region ?? caller.region;
  if (region !== caller.region) {
    throw new ServiceError(
      'ResourceNotFoundException',
      `Functions from '${region}' are not reachable in this region ('${caller.region}')`,
    );
  }
  const identity = { accountId: parsed.accountId ?? caller.accountId, region, functionName };
  if (identity.accountId !== caller.accountId) throw notAuthorized(operation, caller, identity);
  const qualifier = beside ?? qualifierInside;
  return { identity, ...(qualifier !== undefined && { qualifier }) };
}

/** The version that a target stands for; only `$LATEST` exists. Throws ResourceNotFoundException. */
export function existingVersion(
  registry: FunctionRegistry,
  target: FunctionTarget,
): FunctionVersion {
  const version = registry.get(target.identity);
  const isLatest = target.qualifier === undefined || target.qualifier === '$LATEST';
  if (version === undefined || !isLatest) throw functionNotFound(target);
  return version;
}

/** ARN with the qualifier that the caller gave, if any. */
export function targetArn({ identity, qualifier }: FunctionTarget): string {
  return qualifier === undefined ? functionArn(identity) : `${functionArn(identity)}:${qualifier}`;
}

export function functionNotFound(target: FunctionTarget): ServiceError {
  return new ServiceError('ResourceNotFoundException', `Function not found: ${targetArn(target)}`);
}

/** Throws where a function is not settled enough to be changed. */
export function checkNotChanging(version: FunctionVersion): void {
  if (version.state === 'Pending') throw wrongState(version);
  if (version.lastUpdateStatus === 'InProgress') throw updateInProgress(version);
}

export function updateInProgress(version: FunctionVersion): ServiceError {
  return new ServiceError(
    'ResourceConflictException',
    `The operation cannot be performed at this time. An update is in progress for resource: ${functionArn(version)}`,
  );
}

/** For a function that cannot be invoked or changed in the state it is in. */
export function wrongState({ state }: FunctionVersion): ServiceError {
  return new ServiceError(
    'ResourceConflictException',
    `The operation cannot be performed at this time. The function is currently in the following state: ${state}`,
  );
}

function notAuthorized(
  operation: string,
  caller: Caller,
  identity: FunctionIdentity,
): ServiceError {
  const action = `lambda:${operation === 'Invoke' ? 'InvokeFunction' : operation}`;
  return new ServiceError(
    'AccessDeniedException',
    `User: arn:aws:iam::${caller.accountId}:root is not authorized to perform: ${action} on resource: ` +
      `${functionArn(identity)} because no resource-based policy allows the ${action} action`,
  );
}
