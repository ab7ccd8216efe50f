import { ServiceError } from '../../domain/service-error.ts';
import { existingVersion, functionNotFound, resolveTarget } from './function-target.ts';
import type { OperationHandler } from './operation.ts';

type DeleteFunctionInput = {
  readonly FunctionName: string;
  readonly Qualifier?: string;
};

export const deleteFunction: OperationHandler = async (input: DeleteFunctionInput, call) => {
  const target = resolveTarget(call.operation, call.caller, input.FunctionName, input.Qualifier);
  const { identity, qualifier } = target;
  if (qualifier === '$LATEST') {
    throw refuse('$LATEST version cannot be deleted without deleting the function.');
  }
  existingVersion(call.registry, { identity });
  if (qualifier !== undefined) {
    if (/^\d+$/.test(qualifier)) throw functionNotFound(target);
    throw refuse('Deletion of aliases is not currently supported.');
  }
  await call.registry.delete(identity);
  // The model says 200; AWS answers 204 without a body (recorded), and clients take either.
  return { StatusCode: 204 };
};

function refuse(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
