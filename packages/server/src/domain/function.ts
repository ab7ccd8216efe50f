import type { LayerReference } from './layer.ts';
import type { RuntimeId } from './runtimes.ts';

/** Where a function lives. Names are unique within an account and region. */
export interface FunctionIdentity {
  /** Twelve digits. */
  readonly accountId: string;
  readonly region: string;
  readonly functionName: string;
}

/** Where a version's code is found on this machine. */
export type FunctionCode =
  /** An archive, unpacked once into the content-addressed store. */
  | {
      readonly kind: 'archive';
      /** Base64, as `CodeSha256` is answered. */
      readonly sha256: string;
      readonly sizeBytes: number;
    }
  /** A folder that is run in place and watched; a change retires the environments. */
  | { readonly kind: 'hot-reload'; readonly directory: string };

export type FunctionState = 'Pending' | 'Active' | 'Inactive' | 'Failed';
export type LastUpdateStatus = 'InProgress' | 'Successful' | 'Failed';

/**
 * One version of a function with all its settings. Never changed in place: an update makes a new
 * object, so an environment can hold on to the one it was made from.
 */
export interface FunctionVersion extends FunctionIdentity {
  /** `$LATEST`, or a number from 1 as text. */
  readonly version: string;
  /**
   * Changes with every update of code or configuration. Environments of one generation never
   * serve another.
   */
  readonly generation: string;
  /** Optimistic lock of the API; changes with everything that is changed through it. */
  readonly revisionId: string;
  readonly code: FunctionCode;
  /** In the order in which they are unpacked to `/opt`; none where left out. */
  readonly layers?: readonly LayerReference[];
  readonly runtime: RuntimeId;
  readonly handler: string;
  /** ARN of the execution role. Kept and answered; nothing is assumed with it yet. */
  readonly role: string;
  readonly description: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly ephemeralStorageMb: number;
  readonly architecture: 'x86_64' | 'arm64';
  /** The user's own environment variables. */
  readonly environment: Readonly<Record<string, string>>;
  readonly logGroupName: string;
  readonly tracingMode: 'PassThrough' | 'Active';
  readonly state: FunctionState;
  readonly stateReason?: string;
  readonly stateReasonCode?: string;
  readonly lastUpdateStatus: LastUpdateStatus;
  readonly lastUpdateStatusReason?: string;
  readonly lastUpdateStatusReasonCode?: string;
  /** Milliseconds since the epoch. */
  readonly lastModifiedMs: number;
  readonly tags: Readonly<Record<string, string>>;
}

/** `arn:aws:lambda:<region>:<account>:function:<name>`, without a qualifier. */
export function functionArn(identity: FunctionIdentity): string {
  return `arn:aws:lambda:${identity.region}:${identity.accountId}:function:${identity.functionName}`;
}

/** Text that identifies a function on this server, for maps and store keys. */
export function functionKey(identity: FunctionIdentity): string {
  return `${identity.accountId}/${identity.region}/${identity.functionName}`;
}
