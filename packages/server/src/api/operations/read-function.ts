import { codeLocation } from '../code-download.ts';
import type { ApiOutput } from '../protocol/operation-output.ts';
import { toConfiguration } from './function-configuration.ts';
import { existingVersion, resolveTarget } from './function-target.ts';
import type { OperationCall, OperationHandler } from './operation.ts';
import { makeMarker, readMarker } from './page-marker.ts';

type FunctionInput = {
  readonly FunctionName: string;
  readonly Qualifier?: string;
};

type ListFunctionsInput = {
  readonly MasterRegion?: string;
  readonly FunctionVersion?: 'ALL';
  readonly Marker?: string;
  readonly MaxItems?: number;
};

/** AWS answers no more at once, whatever `MaxItems` says. */
const MAX_PAGE = 50;

export const getFunction: OperationHandler = (input: FunctionInput, call) => {
  const { configuration, version } = read(input, call);
  return {
    Configuration: configuration,
    Code: { RepositoryType: 'S3', Location: codeLocation(version, call.endpoint) },
    Tags: Object.keys(version.tags).length > 0 ? version.tags : undefined,
  };
};

export const getFunctionConfiguration: OperationHandler = (input: FunctionInput, call) =>
  read(input, call).configuration;

function read(
  input: FunctionInput,
  call: OperationCall,
): { readonly configuration: ApiOutput; readonly version: ReturnType<typeof existingVersion> } {
  const target = resolveTarget(call.operation, call.caller, input.FunctionName, input.Qualifier);
  const version = existingVersion(call.registry, target);
  const configuration = toConfiguration(version, {
    qualified: target.qualifier !== undefined,
    runtimeVersionArn: call.runtimeVersionArn?.(version),
  });
  return { configuration, version };
}

/** Pages are by name: a marker is the last name of its page, so that changes in between do no harm. */
export const listFunctions: OperationHandler = (
  input: ListFunctionsInput,
  { registry, caller },
) => {
  // Functions that were replicated from another region for the edge: there are none.
  if (input.MasterRegion !== undefined) return { Functions: [] };
  const after = input.Marker === undefined ? undefined : readMarker(input.Marker);
  const pageLength = Math.min(input.MaxItems ?? MAX_PAGE, MAX_PAGE);
  const all = registry.list(caller.accountId, caller.region);
  const start = after === undefined ? 0 : all.findIndex(({ functionName }) => functionName > after);
  const page = start === -1 ? [] : all.slice(start, start + pageLength);
  const last = page.at(-1);
  const isLastPage = last === undefined || last === all.at(-1);
  const qualified = input.FunctionVersion === 'ALL';
  return {
    NextMarker: isLastPage ? undefined : makeMarker(last.functionName),
    Functions: page.map((version) => toConfiguration(version, { summary: true, qualified })),
  };
};
