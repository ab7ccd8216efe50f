import {
  layerVersionArn,
  layerArn,
  parseLayerArn,
  type LayerIdentity,
} from '../../domain/layer.ts';
import { ServiceError } from '../../domain/service-error.ts';
import type { Caller } from '../protocol/caller.ts';

/**
 * The layer that a request is about, by its name or ARN. Throws AccessDeniedException where it is
 * another account's, ResourceNotFoundException where it is of another region.
 */
export function resolveLayer(
  operation: string,
  caller: Caller,
  nameOrArn: string,
  version?: number,
): LayerIdentity {
  const parsed = parseLayerArn(nameOrArn);
  if (parsed === undefined) {
    return { accountId: caller.accountId, region: caller.region, layerName: nameOrArn };
  }
  const { accountId, region, layerName } = parsed;
  const identity = { accountId, region, layerName };
  const arn = version === undefined ? layerArn(identity) : layerVersionArn(identity, version);
  if (accountId !== caller.accountId) throw layerNotAuthorized(operation, caller, arn);
  if (region !== caller.region) throw layerNotFound();
  return identity;
}

/** AWS's text where no policy of the layer lets the caller in; there are no such policies yet. */
export function layerNotAuthorized(operation: string, caller: Caller, arn: string): ServiceError {
  return new ServiceError(
    'AccessDeniedException',
    `User: arn:aws:iam::${caller.accountId}:root is not authorized to perform: lambda:${operation} ` +
      `on resource: ${arn} because no resource-based policy allows the lambda:${operation} action`,
  );
}

export function layerNotFound(): ServiceError {
  return new ServiceError(
    'ResourceNotFoundException',
    'The resource you requested does not exist.',
  );
}

/** Throws where a number can be no layer version's. */
export function checkLayerVersionNumber(version: number): void {
  if (version < 1) {
    throw new ServiceError('InvalidParameterValueException', 'Layer Version Cannot be less than 1');
  }
}
