import { createFunction } from './create-function.ts';
import { deleteFunction } from './delete-function.ts';
import type { OperationHandler } from './operation.ts';
import { getFunction, getFunctionConfiguration, listFunctions } from './read-function.ts';
import { updateFunctionCode, updateFunctionConfiguration } from './update-function.ts';

/** The operations that are built, by name; Invoke has a way of its own. The others answer 501. */
export const OPERATION_HANDLERS: Readonly<Record<string, OperationHandler>> = {
  CreateFunction: createFunction,
  DeleteFunction: deleteFunction,
  GetFunction: getFunction,
  GetFunctionConfiguration: getFunctionConfiguration,
  ListFunctions: listFunctions,
  UpdateFunctionCode: updateFunctionCode,
  UpdateFunctionConfiguration: updateFunctionConfiguration,
};
