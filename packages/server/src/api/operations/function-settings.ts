import { checkEnvironmentVariables } from '../../domain/environment-variable-rules.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import type { LayerReference } from '../../domain/layer.ts';
import { MANAGED_RUNTIMES } from '../../domain/runtimes.ts';
import { ServiceError } from '../../domain/service-error.ts';
import { LAMBDA_MODEL } from '../model/api-model.ts';
import { validationError, violation } from '../protocol/constraints.ts';
import { resolveLayers } from './function-layers.ts';
import type { OperationCall } from './operation.ts';
import { refuseUnsupported } from './unsupported-settings.ts';

/** The settings that CreateFunction and UpdateFunctionConfiguration share and that have an effect. */
export type SettingsInput = {
  readonly Runtime?: string;
  readonly Role?: string;
  readonly Handler?: string;
  readonly Description?: string;
  readonly Timeout?: number;
  readonly MemorySize?: number;
  readonly Environment?: { readonly Variables?: Readonly<Record<string, string>> };
  readonly TracingConfig?: { readonly Mode?: 'PassThrough' | 'Active' };
  readonly EphemeralStorage?: { readonly Size: number };
  readonly Layers?: readonly string[];
  readonly LoggingConfig?: { readonly LogFormat?: string; readonly LogGroup?: string };
};

export type Settings = Pick<
  FunctionVersion,
  | 'runtime'
  | 'role'
  | 'handler'
  | 'description'
  | 'timeoutSeconds'
  | 'memoryMb'
  | 'environment'
  | 'tracingMode'
  | 'ephemeralStorageMb'
  | 'logGroupName'
> & { readonly layers: readonly LayerReference[] };

export const SETTING_NAMES: readonly (keyof SettingsInput)[] = [
  'Runtime',
  'Role',
  'Handler',
  'Description',
  'Timeout',
  'MemorySize',
  'Environment',
  'TracingConfig',
  'EphemeralStorage',
  'Layers',
  'LoggingConfig',
];

/** Ceilings of functions that run on demand; the API model's are those of managed instances. */
const MAX_TIMEOUT_SECONDS = 900;
const MAX_MEMORY_MB = 10_240;
const MAX_EPHEMERAL_STORAGE_MB = 10_240;

/** `current` with what `input` changes; settings are replaced whole. Throws ServiceErrors. */
export async function applySettings(
  current: Settings,
  input: SettingsInput,
  call: OperationCall,
): Promise<Settings> {
  checkCeilings(input);
  if (input.LoggingConfig?.LogFormat === 'JSON') {
    throw new ServiceError(
      'InvalidParameterValueException',
      'Cannot set LoggingConfig.LogFormat to JSON as this server does not support it yet: use Text',
    );
  }
  if (input.LoggingConfig !== undefined) {
    refuseUnsupported(input.LoggingConfig, LOGGING_NAMES, 'LoggingConfig.');
  }
  // The pattern of the API model lets NUL pass, which no process can be given.
  if (input.Handler?.includes('\0') === true) {
    const constraint = 'Member must satisfy regular expression pattern: [^\\s]+';
    throw validationError([violation(`'${input.Handler}'`, 'handler', constraint)]);
  }
  if (input.Role !== undefined) checkRole(input.Role, call);
  const environment = input.Environment?.Variables;
  if (environment !== undefined) checkEnvironmentVariables(environment);
  const layers = input.Layers === undefined ? current.layers : resolveLayers(input.Layers, call);
  if (input.Runtime !== undefined) await checkRuntime(input.Runtime, call);
  return {
    runtime: input.Runtime ?? current.runtime,
    role: input.Role ?? current.role,
    handler: input.Handler ?? current.handler,
    description: input.Description ?? current.description,
    timeoutSeconds: input.Timeout ?? current.timeoutSeconds,
    memoryMb: input.MemorySize ?? current.memoryMb,
    environment: input.Environment === undefined ? current.environment : (environment ?? {}),
    tracingMode: input.TracingConfig?.Mode ?? current.tracingMode,
    ephemeralStorageMb: input.EphemeralStorage?.Size ?? current.ephemeralStorageMb,
    layers,
    logGroupName: input.LoggingConfig?.LogGroup ?? current.logGroupName,
  };
}

const LOGGING_NAMES: ReadonlySet<string> = new Set(['LogFormat', 'LogGroup']);

function checkCeilings({ Timeout, MemorySize, EphemeralStorage }: SettingsInput): void {
  const violations: string[] = [];
  const atMost = (value: number | undefined, path: string, limit: number): void => {
    if (value === undefined || value <= limit) return;
    violations.push(
      violation(`'${value}'`, path, `Member must have value less than or equal to ${limit}`),
    );
  };
  atMost(Timeout, 'timeout', MAX_TIMEOUT_SECONDS);
  atMost(EphemeralStorage?.Size, 'ephemeralStorage.size', MAX_EPHEMERAL_STORAGE_MB);
  if (violations.length > 0) throw validationError(violations);
  if (MemorySize !== undefined && MemorySize > MAX_MEMORY_MB) {
    throw new ServiceError(
      'InvalidParameterValueException',
      `'MemorySize' value failed to satisfy constraint: Member must have value less than or equal to ${MAX_MEMORY_MB}`,
    );
  }
}

/**
 * As on AWS, a role must be of the caller's account. The default account stands for callers who do not
 * say which is theirs: there a role of any account will do, as it is in templates made for AWS.
 */
function checkRole(role: string, { caller, defaultAccountId }: OperationCall): void {
  if (caller.accountId === defaultAccountId) return;
  if (role.split(':')[4] !== caller.accountId) {
    throw new ServiceError('AccessDeniedException', 'Cross-account pass role is not allowed.');
  }
}

async function checkRuntime(runtime: string, call: OperationCall): Promise<void> {
  const known = LAMBDA_MODEL.shapes.Runtime?.enum ?? [];
  if (!MANAGED_RUNTIMES.has(runtime) && !known.includes(runtime)) {
    throw new ServiceError(
      'InvalidParameterValueException',
      `Value ${runtime.slice(0, 256)} at 'runtime' failed to satisfy constraint: ` +
        `Member must satisfy enum value set: [${known.join(', ')}] or be a valid ARN`,
    );
  }
  const refusal = MANAGED_RUNTIMES.has(runtime)
    ? await call.runtimeAvailability?.(runtime)
    : `Cannot use runtime ${runtime} as this server does not support it yet: use one of ${[...MANAGED_RUNTIMES.keys()].join(', ')}`;
  if (refusal !== undefined) throw new ServiceError('InvalidParameterValueException', refusal);
}
