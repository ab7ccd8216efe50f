import { layerArn, parseLayerArn, type LayerVersion } from '../../domain/layer.ts';
import type { ApiOutput } from '../protocol/operation-output.ts';
import { checkCompatibleRuntimes } from './compatible-runtimes.ts';
import { toLayerSummary, toLayerVersion } from './layer-output.ts';
import { checkLayerVersionNumber, layerNotFound, resolveLayer } from './layer-target.ts';
import type { OperationCall, OperationHandler } from './operation.ts';
import { makeMarker, readMarker } from './page-marker.ts';

type GetLayerVersionInput = { readonly LayerName: string; readonly VersionNumber: number };
type GetLayerVersionByArnInput = { readonly Arn: string };
type ListInput = {
  readonly CompatibleRuntime?: string;
  readonly CompatibleArchitecture?: string;
  readonly Marker?: string;
  readonly MaxItems?: number;
};
type ListLayerVersionsInput = ListInput & { readonly LayerName: string };

const MAX_PAGE = 50;

export const getLayerVersion: OperationHandler = (input: GetLayerVersionInput, call) => {
  checkLayerVersionNumber(input.VersionNumber);
  return read(input.LayerName, input.VersionNumber, call);
};

export const getLayerVersionByArn: OperationHandler = (input: GetLayerVersionByArnInput, call) => {
  const version = parseLayerArn(input.Arn)?.version;
  // What the model's pattern lets through besides are AWS's own layers, which this server lacks.
  if (version === undefined) throw layerNotFound();
  // A layer version is read with the same permission however it is named.
  return read(input.Arn, version, { ...call, operation: 'GetLayerVersion' });
};

function read(nameOrArn: string, version: number, call: OperationCall): ApiOutput {
  const identity = resolveLayer(call.operation, call.caller, nameOrArn, version);
  const layer = call.layers.get(identity, version);
  if (layer === undefined) throw layerNotFound();
  return toLayerVersion(layer, call.endpoint);
}

/** The latest version first. Pages are by number, so that changes in between do no harm. */
export const listLayerVersions: OperationHandler = (input: ListLayerVersionsInput, call) => {
  checkCompatibleRuntimes('compatibleRuntime', input.CompatibleRuntime);
  const identity = resolveLayer(call.operation, call.caller, input.LayerName);
  const matching = call.layers.versions(identity).filter((layer) => matches(layer, input));
  const before = input.Marker === undefined ? Infinity : Number(readMarker(input.Marker));
  const rest = matching.filter(({ version }) => version < before);
  const { page, marker } = firstPage(rest, input, ({ version }) => String(version));
  return { NextMarker: marker, LayerVersions: page.map(toLayerSummary) };
};

/** Layers by name, each with its latest version of those that match; others are left out. */
export const listLayers: OperationHandler = (input: ListInput, { layers, caller }) => {
  checkCompatibleRuntimes('compatibleRuntime', input.CompatibleRuntime);
  const after = input.Marker === undefined ? '' : readMarker(input.Marker);
  const rest = layers
    .list(caller.accountId, caller.region)
    .flatMap((versions) => versions.find((layer) => matches(layer, input)) ?? [])
    .filter(({ layerName }) => layerName > after);
  const { page, marker } = firstPage(rest, input, ({ layerName }) => layerName);
  return {
    NextMarker: marker,
    Layers: page.map((layer) => ({
      LayerName: layer.layerName,
      LayerArn: layerArn(layer),
      LatestMatchingVersion: toLayerSummary(layer),
    })),
  };
};

/** A layer that names no runtimes or architectures is not said to go with any. */
function matches(layer: LayerVersion, { CompatibleRuntime, CompatibleArchitecture }: ListInput) {
  const { compatibleRuntimes = [], compatibleArchitectures = [] } = layer;
  return (
    (CompatibleRuntime === undefined || compatibleRuntimes.includes(CompatibleRuntime)) &&
    (CompatibleArchitecture === undefined ||
      compatibleArchitectures.includes(CompatibleArchitecture))
  );
}

function firstPage(
  rest: readonly LayerVersion[],
  { MaxItems: length = MAX_PAGE }: ListInput,
  keyOf: (layer: LayerVersion) => string,
): { readonly page: readonly LayerVersion[]; readonly marker: string | undefined } {
  const page = rest.slice(0, length);
  const last = page.at(-1);
  const isLastPage = last === undefined || page.length === rest.length;
  return { page, marker: isLastPage ? undefined : makeMarker(keyOf(last)) };
}
