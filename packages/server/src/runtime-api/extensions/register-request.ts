import { ExtensionApiError } from './extension-api-error.ts';

/** A file name has no more, and an internal extension's name needs no more. */
const MAX_NAME_BYTES = 255;

/**
 * The name of an extension from its header, of which Node.js takes each byte for a character: file
 * names in UTF-8 arrive as such again. Throws an ExtensionApiError where it is missing or no name.
 */
export function extensionName(header: string | undefined): string {
  if (header === undefined) {
    throw new ExtensionApiError('Extension.InvalidExtensionName', 'Empty extension name');
  }
  const bytes = Buffer.from(header, 'latin1');
  if (bytes.length > MAX_NAME_BYTES) {
    throw new ExtensionApiError('Extension.InvalidExtensionName', 'Extension name is too long');
  }
  const name = bytes.toString();
  // A tab would forge a field of the EXTENSION line.
  // oxlint-disable-next-line no-control-regex
  if (/[\u0000-\u001f\u007f-\u009f]/.test(name)) {
    throw new ExtensionApiError('Extension.InvalidExtensionName', 'Extension name is malformed');
  }
  return name;
}

/** Features are a comma-separated list; unknown ones are passed over. */
export function acceptsAccountId(header: string | undefined): boolean {
  return (header ?? '').split(',').some((feature) => feature.trim() === 'accountId');
}

/** The events of a register request's body. Throws an ExtensionApiError where it is not one. */
export function registeredEvents(body: Uint8Array): string[] {
  const parsed = parseObject(body);
  const { events, configurationKeys }: { events?: unknown; configurationKeys?: unknown } = parsed;
  if (Array.isArray(configurationKeys) && configurationKeys.length > 0) {
    throw invalidFormat('configurationKeys are deprecated; use environment variables instead');
  }
  if (events === undefined || events === null) return [];
  if (!Array.isArray(events)) throw invalidFormat('events must be an array of strings');
  return events.map((event: unknown) => {
    if (typeof event !== 'string') throw invalidFormat('events must be an array of strings');
    return event;
  });
}

function parseObject(body: Uint8Array): object {
  let parsed: unknown;
  try {
    parsed = JSON.parse(Buffer.from(body).toString());
  } catch {
    throw invalidFormat('the body is not valid JSON');
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw invalidFormat('the body is not a JSON object');
  }
  return parsed;
}

function invalidFormat(message: string): ExtensionApiError {
  return new ExtensionApiError('InvalidRequestFormat', message);
}
