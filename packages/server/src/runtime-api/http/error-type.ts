import { reportedErrorType } from '../reported-error-type.ts';

/** A body that is larger is not parsed: that would hold up everybody else. */
const MAX_PARSED_BYTES = 262_144;
const INVALID_ERROR_BODY = Buffer.from('"Invalid error body"');

/**
 * The type under which a runtime's error is told in logs and metrics. Where the header is absent the
 * body's `errorType` stands in for it, which AWS's open emulator does not do.
 */
export function platformErrorType(header: string | undefined, body: Uint8Array): string {
  return reportedErrorType(header ?? errorTypeOf(body));
}

/**
 * What the caller gets of an error that was sent as `application/vnd.aws.lambda.error.cause+json`:
 * the error without its causes, which are meant for tracing.
 */
export function errorWithoutCause(body: Uint8Array): Buffer {
  const error = parseObject(body);
  if (error === undefined) return INVALID_ERROR_BODY;
  const { errorMessage = '', errorType = '', stackTrace = [] } = error;
  if (typeof errorMessage !== 'string' || typeof errorType !== 'string') return INVALID_ERROR_BODY;
  if (!Array.isArray(stackTrace) || !stackTrace.every((line) => typeof line === 'string')) {
    return INVALID_ERROR_BODY;
  }
  return Buffer.from(
    JSON.stringify({ errorMessage, errorType, ...(stackTrace.length > 0 && { stackTrace }) }),
  );
}

function errorTypeOf(body: Uint8Array): string | undefined {
  const errorType = parseObject(body)?.['errorType'];
  return typeof errorType === 'string' ? errorType : undefined;
}

function parseObject(body: Uint8Array): Record<string, unknown> | undefined {
  if (body.length > MAX_PARSED_BYTES) return undefined;
  try {
    const value: unknown = JSON.parse(Buffer.from(body).toString());
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
