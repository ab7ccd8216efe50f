import { ServiceError } from '../../domain/service-error.ts';
import { isObject } from '../protocol/is-object.ts';
import type { ApiInput } from '../protocol/request-input.ts';

/** Values other than empty ones that mean "off", as clients send them for what they do not use. */
const NEUTRAL: Readonly<Record<string, (value: unknown) => boolean>> = {
  PackageType: (value) => value === 'Zip',
  SnapStart: (value) => isObject(value) && value.ApplyOn === 'None',
};

/**
 * Refuses every setting that would be stored and have no effect, by its name. `effective` are those
 * that have one; whatever else the API model knows, now or later, passes only with a neutral value.
 */
export function refuseUnsupported(
  input: ApiInput,
  effective: ReadonlySet<string>,
  parent = '',
): void {
  for (const [name, value] of Object.entries(input)) {
    if (effective.has(name) || isEmpty(value) || NEUTRAL[name]?.(value) === true) continue;
    throw new ServiceError(
      'InvalidParameterValueException',
      `Cannot set ${parent}${name} as this server does not support it yet: leave it out`,
    );
  }
}

/** Empty text, list or structure, false, and structures of nothing else. */
function isEmpty(value: unknown): boolean {
  if (value === '' || value === false) return true;
  if (typeof value !== 'object' || value === null) return false;
  return Object.values(value).every(isEmpty);
}
