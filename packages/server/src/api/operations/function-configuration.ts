import { functionArn, type FunctionVersion } from '../../domain/function.ts';
import type { ApiOutput } from '../protocol/operation-output.ts';
import { formatTime } from './format-time.ts';

export interface ConfigurationOptions {
  /** Whether `FunctionArn` carries the qualifier; AWS does where the caller named one. */
  readonly qualified?: boolean;
  /** As ListFunctions answers it: without states and the runtime's version. */
  readonly summary?: boolean;
  readonly runtimeVersionArn?: string | undefined;
}

/** `CodeSha256` of code that is run in place: there is no archive to hash. */
const HOT_RELOAD_SHA256 = 'hot-reload';

/** A version as the API answers it. Keys that AWS leaves out are undefined. */
export function toConfiguration(
  version: FunctionVersion,
  options: ConfigurationOptions = {},
): ApiOutput {
  const { code, environment, layers = [] } = version;
  const archive = code.kind === 'archive' ? code : undefined;
  const arn = functionArn(version);
  return {
    FunctionName: version.functionName,
    FunctionArn: options.qualified === true ? `${arn}:${version.version}` : arn,
    Runtime: version.runtime,
    Role: version.role,
    Handler: version.handler,
    CodeSize: archive?.sizeBytes ?? 0,
    Description: version.description,
    Timeout: version.timeoutSeconds,
    MemorySize: version.memoryMb,
    LastModified: formatTime(version.lastModifiedMs),
    CodeSha256: archive?.sha256 ?? HOT_RELOAD_SHA256,
    Version: version.version,
    Environment: Object.keys(environment).length > 0 ? { Variables: environment } : undefined,
    Layers:
      layers.length > 0
        ? layers.map(({ arn: layer, sizeBytes }) => ({ Arn: layer, CodeSize: sizeBytes }))
        : undefined,
    TracingConfig: { Mode: version.tracingMode },
    RevisionId: version.revisionId,
    PackageType: 'Zip',
    Architectures: [version.architecture],
    EphemeralStorage: { Size: version.ephemeralStorageMb },
    SnapStart: { ApplyOn: 'None', OptimizationStatus: 'Off' },
    LoggingConfig: { LogFormat: 'Text', LogGroup: version.logGroupName },
    ...(options.summary !== true && statesOf(version, options.runtimeVersionArn)),
  };
}

function statesOf(version: FunctionVersion, runtimeVersionArn: string | undefined): ApiOutput {
  const states: ApiOutput = {
    State: version.state,
    StateReason: version.stateReason,
    StateReasonCode: version.stateReasonCode,
    RuntimeVersionConfig:
      runtimeVersionArn === undefined ? undefined : { RuntimeVersionArn: runtimeVersionArn },
  };
  // A function that is being created has not been updated yet: AWS leaves the keys out.
  if (version.state === 'Pending') return states;
  return {
    ...states,
    LastUpdateStatus: version.lastUpdateStatus,
    LastUpdateStatusReason: version.lastUpdateStatusReason,
    LastUpdateStatusReasonCode: version.lastUpdateStatusReasonCode,
  };
}
