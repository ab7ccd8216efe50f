import { createFunction } from './create-function.ts';
import { deleteFunction } from './delete-function.ts';
import { deleteLayerVersion } from './delete-layer-version.ts';
import type { OperationHandler } from './operation.ts';
import { publishLayerVersion } from './publish-layer-version.ts';
import { getFunction, getFunctionConfiguration, listFunctions } from './read-function.ts';
import {
  getLayerVersion,
  getLayerVersionByArn,
  listLayers,
  listLayerVersions,
} from './read-layer.ts';
import { updateFunctionCode, updateFunctionConfiguration } from './update-function.ts';

/** The operations that are built, by name; Invoke has a way of its own. The others answer 501. */
export const OPERATION_HANDLERS: Readonly<Record<string, OperationHandler>> = {
  CreateFunction: createFunction,
  DeleteFunction: deleteFunction,
  DeleteLayerVersion: deleteLayerVersion,
  GetFunction: getFunction,
  GetFunctionConfiguration: getFunctionConfiguration,
  GetLayerVersion: getLayerVersion,
  GetLayerVersionByArn: getLayerVersionByArn,
  ListFunctions: listFunctions,
  ListLayers: listLayers,
  ListLayerVersions: listLayerVersions,
  PublishLayerVersion: publishLayerVersion,
  UpdateFunctionCode: updateFunctionCode,
  UpdateFunctionConfiguration: updateFunctionConfiguration,
};
