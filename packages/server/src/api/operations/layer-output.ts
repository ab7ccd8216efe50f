import { layerArn, layerVersionArn, type LayerVersion } from '../../domain/layer.ts';
import { layerLocation } from '../layer-download.ts';
import type { ApiOutput } from '../protocol/operation-output.ts';
import { formatTime } from './format-time.ts';

/** A layer version as PublishLayerVersion and GetLayerVersion answer it. */
export function toLayerVersion(layer: LayerVersion, endpoint: string): ApiOutput {
  return {
    ...toLayerSummary(layer),
    LayerArn: layerArn(layer),
    Content: {
      Location: layerLocation(layer, endpoint),
      CodeSha256: layer.sha256,
      CodeSize: layer.sizeBytes,
    },
  };
}

/** A layer version as the lists answer it. */
export function toLayerSummary(layer: LayerVersion): ApiOutput {
  return {
    LayerVersionArn: layerVersionArn(layer, layer.version),
    Version: layer.version,
    Description: layer.description,
    CreatedDate: formatTime(layer.createdMs),
    CompatibleArchitectures: layer.compatibleArchitectures,
    CompatibleRuntimes: layer.compatibleRuntimes,
    LicenseInfo: layer.licenseInfo,
  };
}
