import { checkLayerVersionNumber, resolveLayer } from './layer-target.ts';
import type { OperationHandler } from './operation.ts';

type DeleteLayerVersionInput = { readonly LayerName: string; readonly VersionNumber: number };

/** Functions that use the version go on using it. As on AWS, to delete what is not there is no mistake. */
export const deleteLayerVersion: OperationHandler = async (
  { LayerName: name, VersionNumber: version }: DeleteLayerVersionInput,
  call,
) => {
  checkLayerVersionNumber(version);
  await call.layers.delete(resolveLayer(call.operation, call.caller, name, version), version);
  return {};
};
