import { createHash } from 'node:crypto';

/** A managed runtime that Hearth runs with its own bootstrap. */
export interface ManagedRuntime {
  readonly family: 'nodejs' | 'python';
  /** `22` for `nodejs22.x`, `3.12` for `python3.12`. */
  readonly languageVersion: string;
}

export type RuntimeId = string;

const NODEJS = ['18', '20', '22', '24', '26'];
const PYTHON = ['3.9', '3.10', '3.11', '3.12', '3.13', '3.14', '3.15'];

/** Managed runtimes by identifier. nodejs26.x and python3.15 are (unverified): ahead of the API model in use. */
export const MANAGED_RUNTIMES: ReadonlyMap<RuntimeId, ManagedRuntime> = new Map([
  ...NODEJS.map((version) => entry(`nodejs${version}.x`, 'nodejs', version)),
  ...PYTHON.map((version) => entry(`python${version}`, 'python', version)),
]);

function entry(
  id: RuntimeId,
  family: ManagedRuntime['family'],
  languageVersion: string,
): [RuntimeId, ManagedRuntime] {
  return [id, { family, languageVersion }];
}

/** An ARN of the form that AWS gives a runtime's build; which build it is, is ours alone. */
export function runtimeVersionArn(region: string, runtime: RuntimeId): string {
  const hash = createHash('sha256').update(`hearth ${runtime}`).digest('hex');
  return `arn:aws:lambda:${region}::runtime:${hash}`;
}
