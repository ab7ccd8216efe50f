import { ServiceError } from '../../domain/service-error.ts';
import { checkCompatibleRuntimes } from './compatible-runtimes.ts';
import { toLayerVersion } from './layer-output.ts';
import { resolveLayer } from './layer-target.ts';
import type { OperationHandler } from './operation.ts';
import { refuseUnsupported } from './unsupported-settings.ts';

type PublishLayerVersionInput = {
  readonly LayerName: string;
  readonly Content: ContentInput;
  readonly Description?: string;
  readonly LicenseInfo?: string;
  readonly CompatibleRuntimes?: readonly string[];
  readonly CompatibleArchitectures?: readonly string[];
};

type ContentInput = {
  readonly ZipFile?: Buffer;
  readonly S3Bucket?: string;
  readonly S3Key?: string;
};

const CONTENT_NAMES: ReadonlySet<string> = new Set(['ZipFile', 'S3Bucket', 'S3Key']);

export const publishLayerVersion: OperationHandler = async (
  input: PublishLayerVersionInput,
  call,
) => {
  const { Content: content, LicenseInfo: licenseInfo } = input;
  const { CompatibleRuntimes: runtimes, CompatibleArchitectures: architectures } = input;
  refuseUnsupported(content, CONTENT_NAMES, 'Content.');
  checkCompatibleRuntimes('compatibleRuntimes', runtimes);
  const identity = resolveLayer(call.operation, call.caller, input.LayerName);
  const code = await call.codeStore.put(archiveOf(content));
  const layer = await call.layers.publish({
    ...identity,
    ...code,
    description: input.Description ?? '',
    ...(licenseInfo !== undefined && { licenseInfo }),
    ...(runtimes !== undefined && runtimes.length > 0 && { compatibleRuntimes: runtimes }),
    ...(architectures !== undefined &&
      architectures.length > 0 && { compatibleArchitectures: architectures }),
    createdMs: call.clock.nowMs(),
  });
  return toLayerVersion(layer, call.endpoint);
};

/** The texts are Hearth's. */
function archiveOf({ ZipFile, S3Bucket, S3Key }: ContentInput): Buffer {
  const hasObject = S3Bucket !== undefined || S3Key !== undefined;
  if (ZipFile === undefined) {
    throw refuse(
      hasObject
        ? `Cannot read a layer from bucket ${S3Bucket ?? '(none)'} as this server has no S3 yet: send ZipFile`
        : 'Please provide a source for layer content.',
    );
  }
  if (hasObject) {
    throw refuse('Please do not provide other Content parameters when providing a ZipFile.');
  }
  return ZipFile;
}

function refuse(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
