import { createHash } from 'node:crypto';

/** Languages whose runtimes Hearth can start, and `provided`, whose program comes with the function. */
export type RuntimeFamily = 'nodejs' | 'python' | 'java' | 'provided';

/** A runtime of AWS Lambda that Hearth runs. */
export interface ManagedRuntime {
  readonly family: RuntimeFamily;
  /** `22` for `nodejs22.x`, `3.12` for `python3.12`, `8` for `java8.al2`, `al2023` for `provided.al2023`. */
  readonly languageVersion: string;
  /**
   * How it talks: by frames with Hearth's own bootstrap, which can be started ahead and be told its
   * function later, or over AWS's HTTP Runtime API, whose process is started for its function.
   */
  readonly protocol: 'framed' | 'http';
}

export type RuntimeId = string;

const NODEJS = ['18', '20', '22', '24', '26'];
const PYTHON = ['3.9', '3.10', '3.11', '3.12', '3.13', '3.14', '3.15'];
const JAVA = { 'java8.al2': '8', java11: '11', java17: '17', java21: '21', java25: '25' };
/** How INIT_START names the systems; the one of `provided` (unverified). */
const PROVIDED = { provided: 'al1', 'provided.al2': 'al2', 'provided.al2023': 'al2023' };

/** Runtimes by identifier. nodejs26.x and python3.15 are (unverified): ahead of the API model in use. */
export const MANAGED_RUNTIMES: ReadonlyMap<RuntimeId, ManagedRuntime> = new Map([
  ...NODEJS.map((version) => entry(`nodejs${version}.x`, 'nodejs', version)),
  ...PYTHON.map((version) => entry(`python${version}`, 'python', version)),
  ...Object.entries(JAVA).map(([id, version]) => entry(id, 'java', version)),
  ...Object.entries(PROVIDED).map(([id, system]) => entry(id, 'provided', system)),
]);

function entry(
  id: RuntimeId,
  family: RuntimeFamily,
  languageVersion: string,
): [RuntimeId, ManagedRuntime] {
  const protocol = family === 'nodejs' || family === 'python' ? 'framed' : 'http';
  return [id, { family, languageVersion, protocol }];
}

/** An ARN of the form that AWS gives a runtime's build; which build it is, is ours alone. */
export function runtimeVersionArn(region: string, runtime: RuntimeId): string {
  const hash = createHash('sha256').update(`hearth ${runtime}`).digest('hex');
  return `arn:aws:lambda:${region}::runtime:${hash}`;
}
