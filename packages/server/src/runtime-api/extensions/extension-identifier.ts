import type { IncomingMessage } from 'node:http';
import { requestHeader } from '../http/api-route.ts';
import { ExtensionApiError } from './extension-api-error.ts';

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

/**
 * The identifier by which an extension says who it is: a UUID, whether known or not. Throws an
 * ExtensionApiError where it is missing or is no UUID.
 */
export function extensionIdentifier(request: IncomingMessage): string {
  const value = requestHeader(request, 'lambda-extension-identifier');
  if (value === undefined) {
    throw new ExtensionApiError(
      'Extension.MissingExtensionIdentifier',
      'Missing Lambda-Extension-Identifier header',
    );
  }
  if (!UUID.test(value)) {
    throw new ExtensionApiError(
      'Extension.InvalidExtensionIdentifier',
      'Invalid Lambda-Extension-Identifier',
    );
  }
  return value.toLowerCase();
}
