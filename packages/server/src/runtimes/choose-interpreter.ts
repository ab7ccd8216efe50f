import type { RuntimeId } from '../domain/runtimes.ts';
import { MANAGED_RUNTIMES } from '../domain/runtimes.ts';
import type { Family } from './interpreter-locations.ts';
import type { Interpreter, RuntimeChoice } from './runtime-catalog.ts';

/**
 * The interpreter for a runtime: of those with the runtime's own version the newest patch; otherwise,
 * unless `strict`, the one whose version is the fewest releases away, of two equally far the newer;
 * for Java the nearest newer one, since an older one loads no classes that were compiled for the
 * runtime. Equal versions: the first in the list.
 */
export function chooseInterpreter(
  runtime: RuntimeId,
  interpreters: readonly Interpreter[],
  strict: boolean,
): RuntimeChoice | undefined {
  const managed = MANAGED_RUNTIMES.get(runtime);
  if (managed === undefined || managed.family === 'provided') return undefined;
  const { family } = managed;
  const wanted = release(family, managed.languageVersion);
  let best: { interpreter: Interpreter; distance: number } | undefined;
  for (const interpreter of interpreters) {
    if (interpreter.family !== family) continue;
    const distance = distanceOf(family, release(family, interpreter.version) - wanted);
    if (best === undefined || distance < best.distance || isNewerTie(interpreter, distance, best)) {
      best = { interpreter, distance };
    }
  }
  if (best === undefined || (strict && best.distance > 0)) return undefined;
  return { interpreter: best.interpreter, exact: best.distance === 0 };
}

/**
 * True where the bootstraps (for Java, AWS's client) are made for the version: not older than the
 * oldest managed runtime of the family, and for Python of the same major version.
 */
export function isSupportedVersion(family: Family, version: string): boolean {
  const releases = [...MANAGED_RUNTIMES.values()]
    .filter((managed) => managed.family === family)
    .map((managed) => release(family, managed.languageVersion));
  if (family === 'python' && !version.startsWith('3.')) return false;
  return release(family, version) >= Math.min(...releases);
}

function isNewerTie(
  interpreter: Interpreter,
  distance: number,
  best: { interpreter: Interpreter; distance: number },
): boolean {
  return (
    distance === best.distance && compareVersions(interpreter.version, best.interpreter.version) > 0
  );
}

/** The number that counts a family's releases: 22 of Node.js 22.11.0, 12 of Python 3.12.1, 21 of Java 21.0.3. */
function release(family: Family, version: string): number {
  return Number(version.split('.')[family === 'python' ? 1 : 0]);
}

/** @param releases how many releases an interpreter is ahead of what is wanted */
function distanceOf(family: Family, releases: number): number {
  return family === 'java' && releases < 0 ? OLDER_JAVA - releases : Math.abs(releases);
}

/** Farther than any newer one. */
const OLDER_JAVA = 1_000;

/** Positive where `a` is the newer one. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [a.split('.').map(Number), b.split('.').map(Number)];
  for (let i = 0; i < Math.max(left.length, right.length); i += 1) {
    const difference = (left[i] ?? 0) - (right[i] ?? 0);
    if (difference !== 0) return difference;
  }
  return 0;
}
