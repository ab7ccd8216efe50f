import { ServiceError } from '../../domain/service-error.ts';

const PREFIX = 'v1:';

/** The marker of a page that ends with the item of this key. */
export function makeMarker(lastKey: string): string {
  return Buffer.from(PREFIX + lastKey).toString('base64url');
}

/** The key that a marker stands for. Throws InvalidParameterValueException where it is none of ours. */
export function readMarker(marker: string): string {
  const text = Buffer.from(marker, 'base64url').toString();
  if (!text.startsWith(PREFIX)) {
    throw new ServiceError('InvalidParameterValueException', 'The provided Marker is not valid.');
  }
  return text.slice(PREFIX.length);
}
