import type { TelemetrySchema, TelemetryType } from './event-form.ts';
import { parseDestination } from './destination.ts';
import type { TelemetryApi, TelemetryBuffering, TelemetrySubscription } from './subscription.ts';

const SCHEMAS: Readonly<Record<TelemetryApi, readonly TelemetrySchema[]>> = {
  telemetry: ['2022-07-01', '2022-12-13', '2025-01-29'],
  logs: ['2020-08-15', '2021-03-18'],
};

const TYPES: readonly TelemetryType[] = ['platform', 'function', 'extension'];

/** AWS's ranges; its two pages on them contradict each other, the values are those of the guide. */
const RANGES = {
  maxItems: { least: 1_000, most: 10_000, otherwise: 10_000 },
  maxBytes: { least: 262_144, most: 1_048_576, otherwise: 262_144 },
  timeoutMs: { least: 25, most: 30_000, otherwise: 1_000 },
} as const;

export type SubscriptionRequest =
  | { readonly kind: 'valid'; readonly subscription: TelemetrySubscription }
  /** All that is wrong with it, as AWS lists it: `URI port is not provided; types should not be empty`. */
  | { readonly kind: 'invalid'; readonly message: string };

/** Reads the body of a subscribe request; it comes from inside the sandbox and may be anything. */
export function parseSubscription(body: Uint8Array, api: TelemetryApi): SubscriptionRequest {
  const faults: string[] = [];
  const request = parseObject(Buffer.from(body).toString());
  if (request === undefined) return invalid(['the body is not a JSON object']);
  const { schemaVersion, types, buffering, destination } = request;
  const schema = parseSchema(schemaVersion, api, faults);
  const subscribed = parseTypes(types, faults);
  const limits = parseBuffering(buffering, faults);
  const target = parseDestination(destination, faults);
  if (schema === undefined || target === undefined || faults.length > 0) return invalid(faults);
  return {
    kind: 'valid',
    subscription: { api, schema, types: subscribed, buffering: limits, destination: target },
  };
}

function invalid(faults: readonly string[]): SubscriptionRequest {
  return { kind: 'invalid', message: faults.join('; ') };
}

function parseObject(text: string): Partial<Record<string, unknown>> | undefined {
  try {
    const parsed: unknown = JSON.parse(text);
    return asObject(parsed);
  } catch {
    return undefined;
  }
}

function asObject(value: unknown): Partial<Record<string, unknown>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  return { ...value };
}

function parseSchema(
  value: unknown,
  api: TelemetryApi,
  faults: string[],
): TelemetrySchema | undefined {
  // The Logs API came before versions and makes its first one the default.
  if (value === undefined && api === 'logs') return '2020-08-15';
  const schema = SCHEMAS[api].find((known) => known === value);
  if (schema === undefined) {
    faults.push(`schemaVersion must be one of ${SCHEMAS[api].join(', ')}`);
  }
  return schema;
}

function parseTypes(value: unknown, faults: string[]): TelemetryType[] {
  if (value === undefined || (Array.isArray(value) && value.length === 0)) {
    faults.push('types should not be empty');
    return [];
  }
  const wanted: unknown[] = Array.isArray(value) ? value : [value];
  if (!Array.isArray(value) || !wanted.every((one) => TYPES.some((known) => known === one))) {
    faults.push(`types must be an array of ${TYPES.join(', ')}`);
    return [];
  }
  return [...new Set(wanted)].flatMap((one) => TYPES.filter((known) => known === one));
}

function parseBuffering(value: unknown, faults: string[]): TelemetryBuffering {
  const given = value === undefined || value === null ? {} : asObject(value);
  if (given === undefined) faults.push('buffering must be an object');
  const limit = (name: keyof typeof RANGES): number => {
    const { least, most, otherwise } = RANGES[name];
    const wanted = given?.[name];
    if (wanted === undefined || wanted === null) return otherwise;
    if (typeof wanted === 'number' && Number.isInteger(wanted)) {
      if (wanted >= least && wanted <= most) return wanted;
    }
    faults.push(`buffering.${name} must be an integer between ${least} and ${most}`);
    return otherwise;
  };
  return {
    maxItems: limit('maxItems'),
    maxBytes: limit('maxBytes'),
    timeoutMs: limit('timeoutMs'),
  };
}
