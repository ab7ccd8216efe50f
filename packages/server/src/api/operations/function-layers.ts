import type { FunctionCode } from '../../domain/function.ts';
import { layerArn, parseLayerArn, type LayerReference } from '../../domain/layer.ts';
import { MAX_UNZIPPED_BYTES } from '../../domain/limits.ts';
import { ServiceError } from '../../domain/service-error.ts';
import { layerNotAuthorized } from './layer-target.ts';
import type { OperationCall } from './operation.ts';

const MAX_LAYERS = 5;

/** The layers that a function names by their ARNs, in that order. Throws ServiceErrors, in AWS's words. */
export function resolveLayers(arns: readonly string[], call: OperationCall): LayerReference[] {
  if (arns.length > MAX_LAYERS) throw refuse(`Cannot reference more than ${MAX_LAYERS} layers.`);
  const seen = new Map<string, string>();
  return arns.map((arn) => {
    const reference = resolveOne(arn, call);
    const parsed = parseLayerArn(arn);
    const layer = parsed === undefined ? arn : layerArn(parsed);
    const earlier = seen.get(layer);
    if (earlier !== undefined) {
      throw refuse(
        'Two different versions of the same layer are not allowed to be referenced in the same ' +
          `function. ${earlier} and ${arn} are versions of the same layer.`,
      );
    }
    seen.set(layer, arn);
    return reference;
  });
}

/**
 * Checks what code and layers take together and merges the layers. Rejects with an
 * InvalidParameterValueException. Call it last before the function is stored: until that says that
 * they are in use, their content is kept for a while only.
 */
export async function prepareLayers(
  code: FunctionCode,
  layers: readonly LayerReference[],
  { codeStore, layerFolders }: OperationCall,
): Promise<void> {
  if (layers.length === 0) return;
  for (const { arn, sha256 } of layers) {
    // It may have been deleted while the code was unpacked.
    if (!(await codeStore.keep(sha256))) throw doesNotExist(arn);
  }
  // Code that is run in place was not unpacked, and grows as it likes.
  const archives = [...layers, ...(code.kind === 'archive' ? [code] : [])];
  let bytes = 0;
  for (const { sha256 } of archives) bytes += await codeStore.unzippedBytes(sha256);
  if (bytes > MAX_UNZIPPED_BYTES) {
    throw refuse(
      `Function code combined with layers exceeds the maximum allowed size of ${MAX_UNZIPPED_BYTES} bytes. ` +
        `The actual size is ${bytes} bytes.`,
    );
  }
  await layerFolders.prepare(layers);
}

function resolveOne(arn: string, { layers, caller }: OperationCall): LayerReference {
  const parsed = parseLayerArn(arn);
  // AWS's own layers, which have no account, are not on this server.
  if (parsed?.version === undefined) throw doesNotExist(arn);
  if (parsed.accountId !== caller.accountId) {
    throw layerNotAuthorized('GetLayerVersion', caller, arn);
  }
  if (parsed.region !== caller.region) {
    throw refuse(
      `Layers are not in the same region as the function. Layers are expected to be in region ${caller.region}.`,
    );
  }
  const layer = layers.get(parsed, parsed.version);
  if (layer === undefined) throw doesNotExist(arn);
  return { arn, sha256: layer.sha256, sizeBytes: layer.sizeBytes };
}

function doesNotExist(arn: string): ServiceError {
  return refuse(`Layer version ${arn} does not exist.`);
}

function refuse(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
