import type { RuntimeResult } from '../../server/src/runtime-api/runtime-session.ts';

/** Parses a response; throws where the result is none. */
export function answerOf(result: RuntimeResult): unknown {
  if (result.kind === 'response') return JSON.parse(textOf(result.payload));
  const detail = result.kind === 'error' ? textOf(result.payload) : '';
  throw new Error(`Expected a response: received ${result.kind} ${detail}`);
}

/** Parses a response that is an object. */
export function objectOf(result: RuntimeResult): Readonly<Record<string, unknown>> {
  return asObject(answerOf(result));
}

export interface ErrorAnswer {
  readonly errorType: string;
  readonly fatal: boolean;
  readonly body: Readonly<Record<string, unknown>>;
}

/** Parses an error; throws where the result is none. */
export function errorOf(result: RuntimeResult): ErrorAnswer {
  if (result.kind !== 'error') throw new Error(`Expected an error: received ${result.kind}`);
  return {
    errorType: result.errorType,
    fatal: result.fatal === true,
    body: asObject(JSON.parse(textOf(result.payload))),
  };
}

function textOf(payload: Uint8Array): string {
  return Buffer.from(payload).toString('utf8');
}

function asObject(value: unknown): Readonly<Record<string, unknown>> {
  if (isObject(value)) return value;
  throw new Error(`Expected an object: received ${JSON.stringify(value)}`);
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
