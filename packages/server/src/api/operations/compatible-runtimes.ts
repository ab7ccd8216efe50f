import { MANAGED_RUNTIMES } from '../../domain/runtimes.ts';
import { LAMBDA_MODEL } from '../model/api-model.ts';
import { validationError, violation } from '../protocol/constraints.ts';

/**
 * Checks identifiers of runtimes that a layer is said to go with, one or a list. Any runtime that AWS
 * or this server knows will do. Throws ValidationException.
 */
export function checkCompatibleRuntimes(
  path: string,
  given: string | readonly string[] | undefined,
): void {
  const known = LAMBDA_MODEL.shapes['Runtime']?.enum ?? [];
  const isKnown = (runtime: string): boolean =>
    known.includes(runtime) || MANAGED_RUNTIMES.has(runtime);
  const runtimes = typeof given === 'string' ? [given] : (given ?? []);
  if (runtimes.every(isKnown)) return;
  const shown = runtimes.map((runtime) => runtime.slice(0, 256)).join(', ');
  const constraint = `Member must satisfy enum value set: [${known.join(', ')}]`;
  throw validationError([
    violation(typeof given === 'string' ? `'${shown}'` : `'[${shown}]'`, path, constraint),
  ]);
}
