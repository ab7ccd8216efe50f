import { randomUUID } from 'node:crypto';
import { parseFunctionName } from '../../domain/function-name.ts';
import type { FunctionIdentity, FunctionVersion } from '../../domain/function.ts';
import { ServiceError } from '../../domain/service-error.ts';
import { validationError, violation } from '../protocol/constraints.ts';
import { checkCodeMembers, storeCode, type CodeInput } from './code-source.ts';
import { toConfiguration } from './function-configuration.ts';
import { prepareLayers } from './function-layers.ts';
import { applySettings, SETTING_NAMES, type SettingsInput } from './function-settings.ts';
import { resolveTarget } from './function-target.ts';
import type { OperationCall, OperationHandler } from './operation.ts';
import { refuseUnsupported } from './unsupported-settings.ts';

type CreateFunctionInput = SettingsInput & {
  readonly FunctionName: string;
  readonly Role: string;
  readonly Code: CodeInput;
  readonly Architectures?: readonly ('x86_64' | 'arm64')[];
  readonly Tags?: Readonly<Record<string, string>>;
};

const EFFECTIVE: ReadonlySet<string> = new Set([
  ...SETTING_NAMES,
  'FunctionName',
  'Code',
  'Architectures',
  'Tags',
]);

const MAX_NAME_LENGTH = 64;
const MAX_TAGS = 50;

export const createFunction: OperationHandler = async (input: CreateFunctionInput, call) => {
  refuseUnsupported(input, EFFECTIVE);
  checkCodeMembers(input.Code);
  const identity = newIdentity(input.FunctionName, call);
  const { Runtime: runtime, Handler: handler } = input;
  if (runtime === undefined || handler === undefined) {
    throw new ServiceError(
      'InvalidParameterValueException',
      'Runtime and Handler are mandatory parameters for functions created with deployment packages.',
    );
  }
  if (Object.keys(input.Tags ?? {}).length > MAX_TAGS) {
    throw new ServiceError(
      'InvalidParameterValueException',
      'Number of tags exceeds resource tag limit.',
    );
  }
  const defaults = {
    runtime,
    handler,
    role: input.Role,
    description: '',
    timeoutSeconds: 3,
    memoryMb: 128,
    environment: {},
    tracingMode: 'PassThrough' as const,
    ephemeralStorageMb: 512,
    layers: [],
    logGroupName: `/aws/lambda/${identity.functionName}`,
  };
  const settings = await applySettings(defaults, input, call);
  // Before the archive is unpacked: that a name is taken must not cost more than it needs.
  if (call.registry.get(identity) !== undefined) throw nameTaken(identity);
  const code = await storeCode(input.Code, call);
  await prepareLayers(code, settings.layers, call);
  const version: FunctionVersion = {
    ...identity,
    ...settings,
    version: '$LATEST',
    generation: randomUUID(),
    revisionId: randomUUID(),
    code,
    architecture: input.Architectures?.[0] ?? 'x86_64',
    state: 'Pending',
    stateReason: 'The function is being created.',
    stateReasonCode: 'Creating',
    lastUpdateStatus: 'InProgress',
    lastModifiedMs: call.clock.nowMs(),
    tags: input.Tags ?? {},
  };
  await call.registry.insert(version);
  await call.activate(version);
  return toConfiguration(version, { runtimeVersionArn: call.runtimeVersionArn?.(version) });
};

function newIdentity(name: string, call: OperationCall): FunctionIdentity {
  const bareName = parseFunctionName(name)?.functionName;
  if (bareName !== undefined && bareName.length > MAX_NAME_LENGTH) {
    const constraint = `Member must have length less than or equal to ${MAX_NAME_LENGTH}`;
    throw validationError([violation(`'${bareName}'`, 'functionName', constraint)]);
  }
  const { identity, qualifier } = resolveTarget(call.operation, call.caller, name);
  if (qualifier !== undefined) {
    throw new ServiceError(
      'InvalidParameterValueException',
      `Cannot create function as FunctionName must have no qualifier: received ${name}`,
    );
  }
  return identity;
}

function nameTaken({ functionName }: FunctionIdentity): ServiceError {
  return new ServiceError('ResourceConflictException', `Function already exist: ${functionName}`);
}
