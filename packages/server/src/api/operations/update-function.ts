import { randomUUID } from 'node:crypto';
import type { FunctionVersion } from '../../domain/function.ts';
import { ServiceError } from '../../domain/service-error.ts';
import { staleRevision } from '../../domain/stale-revision.ts';
import type { ApiOutput } from '../protocol/operation-output.ts';
import { CODE_NAMES, storeCode, type CodeInput } from './code-source.ts';
import { toConfiguration } from './function-configuration.ts';
import { prepareLayers } from './function-layers.ts';
import { applySettings, SETTING_NAMES, type SettingsInput } from './function-settings.ts';
import {
  checkNotChanging,
  existingVersion,
  resolveTarget,
  updateInProgress,
} from './function-target.ts';
import type { OperationCall, OperationHandler } from './operation.ts';
import { refuseUnsupported } from './unsupported-settings.ts';

type UpdateInput = {
  readonly FunctionName: string;
  readonly RevisionId?: string;
};

type UpdateCodeInput = UpdateInput &
  CodeInput & {
    readonly Architectures?: readonly ('x86_64' | 'arm64')[];
    readonly DryRun?: boolean;
  };

const CODE_EFFECTIVE: ReadonlySet<string> = new Set([
  ...CODE_NAMES,
  'FunctionName',
  'RevisionId',
  'Architectures',
  'DryRun',
]);

const CONFIGURATION_EFFECTIVE: ReadonlySet<string> = new Set([
  ...SETTING_NAMES,
  'FunctionName',
  'RevisionId',
]);

export const updateFunctionCode: OperationHandler = async (input: UpdateCodeInput, call) => {
  refuseUnsupported(input, CODE_EFFECTIVE);
  updatable(input, call);
  const code = await storeCode(input, call);
  // Another update may have come in while the archive was unpacked.
  const current = updatable(input, call);
  const next: FunctionVersion = {
    ...current,
    code,
    architecture: input.Architectures?.[0] ?? current.architecture,
  };
  await prepareLayers(code, next.layers ?? [], call);
  if (input.DryRun === true) return answer(next, input, call);
  return storeUpdate(input, current, next, call);
};

export const updateFunctionConfiguration: OperationHandler = async (
  input: UpdateInput & SettingsInput,
  call,
) => {
  refuseUnsupported(input, CONFIGURATION_EFFECTIVE);
  const current = updatable(input, call);
  const settings = await applySettings({ ...current, layers: current.layers ?? [] }, input, call);
  if (input.Layers !== undefined) await prepareLayers(current.code, settings.layers, call);
  return storeUpdate(input, current, { ...current, ...settings }, call);
};

/** The function, if it is settled and of the revision that the caller asks for. */
function updatable(input: UpdateInput, call: OperationCall): FunctionVersion {
  const target = resolveTarget(call.operation, call.caller, input.FunctionName);
  const current = existingVersion(call.registry, target);
  checkNotChanging(current);
  if (input.RevisionId !== undefined && input.RevisionId !== current.revisionId) {
    throw staleRevision();
  }
  return current;
}

async function storeUpdate(
  input: UpdateInput,
  current: FunctionVersion,
  changed: FunctionVersion,
  call: OperationCall,
): Promise<ApiOutput> {
  const next: FunctionVersion = {
    ...changed,
    generation: randomUUID(),
    revisionId: randomUUID(),
    lastModifiedMs: call.clock.nowMs(),
    // AWS gives an update the texts of a creation.
    lastUpdateStatus: 'InProgress',
    lastUpdateStatusReason: 'The function is being created.',
    lastUpdateStatusReasonCode: 'Creating',
    ...(changed.state === 'Failed' && {
      state: 'Pending',
      stateReason: 'The function is being created.',
      stateReasonCode: 'Creating',
    }),
  };
  try {
    await call.registry.replace(next, current.revisionId);
  } catch (error) {
    // Another update was quicker: to who asked for no revision that is one in progress.
    const isStale = error instanceof ServiceError && error.code === 'PreconditionFailedException';
    throw isStale && input.RevisionId === undefined ? updateInProgress(current) : error;
  }
  await call.activate(next);
  return answer(next, input, call);
}

function answer(version: FunctionVersion, input: UpdateInput, call: OperationCall): ApiOutput {
  const { qualifier } = resolveTarget(call.operation, call.caller, input.FunctionName);
  return toConfiguration(version, {
    qualified: qualifier !== undefined,
    runtimeVersionArn: call.runtimeVersionArn?.(version),
  });
}
