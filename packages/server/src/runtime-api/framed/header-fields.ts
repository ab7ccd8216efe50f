/** What a runtime says about its result goes into log lines and HTTP headers: only what fits there. */

const DEFAULT_CONTENT_TYPE = 'application/json';
const MAX_FIELD_LENGTH = 256;
const PRINTABLE = /^[\x20-\x7e]+$/;
const CONTROL_CHARACTERS = /\p{Cc}+/gu;

/** The content type where it can stand in an HTTP header; a runtime that gave none means JSON. */
export function cleanContentType(value: unknown): string {
  if (value === undefined) return DEFAULT_CONTENT_TYPE;
  return typeof value === 'string' && value.length <= MAX_FIELD_LENGTH && PRINTABLE.test(value)
    ? value
    : 'application/octet-stream';
}

/** The error type on one line and of bounded length: a function may give its errors any name. */
export function cleanErrorType(value: unknown): string {
  if (typeof value !== 'string' || value === '') return 'Runtime.Unknown';
  return value.slice(0, MAX_FIELD_LENGTH).replace(CONTROL_CHARACTERS, ' ');
}
