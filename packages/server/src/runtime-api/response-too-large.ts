import { MAX_RESPONSE_BYTES } from '../domain/limits.ts';
import type { RuntimeResult } from './runtime-session.ts';

const ERROR_TYPE = 'Function.ResponseSizeTooLarge';
const PAYLOAD = Buffer.from(
  JSON.stringify({
    errorMessage: `Response payload size exceeded maximum allowed payload size (${MAX_RESPONSE_BYTES} bytes).`,
    errorType: ERROR_TYPE,
  }),
);

/** What the caller gets where the function's answer is too large, as AWS Lambda words it. */
export function responseTooLarge(): Extract<RuntimeResult, { kind: 'error' }> {
  return { kind: 'error', errorType: ERROR_TYPE, payload: PAYLOAD };
}
