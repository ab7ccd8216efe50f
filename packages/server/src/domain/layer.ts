/** Where a layer lives. Names are unique within an account and region. */
export interface LayerIdentity {
  /** Twelve digits. */
  readonly accountId: string;
  readonly region: string;
  readonly layerName: string;
}

/** A layer version before it has its number. */
export interface LayerDraft extends LayerIdentity {
  /** Base64 of the archive's SHA-256, as `CodeSha256` is answered. */
  readonly sha256: string;
  /** Size of the archive in bytes. */
  readonly sizeBytes: number;
  readonly description: string;
  readonly licenseInfo?: string;
  readonly compatibleRuntimes?: readonly string[];
  readonly compatibleArchitectures?: readonly string[];
  /** Milliseconds since the epoch. */
  readonly createdMs: number;
}

/** A published layer version. Never changed. */
export interface LayerVersion extends LayerDraft {
  /** From 1 on; never used again, also when the version is deleted. */
  readonly version: number;
}

/**
 * A layer as a function uses it. It names the content, so that the function goes on working when the
 * layer version is deleted.
 */
export interface LayerReference {
  /** ARN of the layer version. */
  readonly arn: string;
  readonly sha256: string;
  /** Size of the archive in bytes. */
  readonly sizeBytes: number;
}

/** `arn:aws:lambda:<region>:<account>:layer:<name>` */
export function layerArn({ accountId, region, layerName }: LayerIdentity): string {
  return `arn:aws:lambda:${region}:${accountId}:layer:${layerName}`;
}

/** `arn:aws:lambda:<region>:<account>:layer:<name>:<version>` */
export function layerVersionArn(identity: LayerIdentity, version: number): string {
  return `${layerArn(identity)}:${version}`;
}

/** Text that identifies a layer on this server, for maps. */
export function layerKey({ accountId, region, layerName }: LayerIdentity): string {
  return `${accountId}/${region}/${layerName}`;
}

export interface ParsedLayerArn extends LayerIdentity {
  /** Undefined where the ARN is a layer's, not a layer version's. */
  readonly version: number | undefined;
}

const ARN =
  /^arn:aws[a-zA-Z-]*:lambda:(?<region>[a-z0-9-]+):(?<account>\d{12}):layer:(?<name>[a-zA-Z0-9-_]+)(?::(?<version>\d{1,15}))?$/;
/** Longest ARN of the API model; more is refused before the pattern is tried. */
const MAX_LENGTH = 2_048;

/** Reads the ARN of a layer or a layer version; undefined where the text is neither. */
export function parseLayerArn(text: string): ParsedLayerArn | undefined {
  if (text.length > MAX_LENGTH) return undefined;
  const groups = ARN.exec(text)?.groups;
  const { region, account, name, version } = groups ?? {};
  if (region === undefined || account === undefined || name === undefined) return undefined;
  return {
    accountId: account,
    region,
    layerName: name,
    version: version === undefined ? undefined : Number(version),
  };
}
