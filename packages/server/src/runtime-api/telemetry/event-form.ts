import type { PlatformEvent } from './telemetry-event.ts';

/** What a subscriber may subscribe to. */
export type TelemetryType = 'platform' | 'function' | 'extension';

/** Which schema a subscriber gets its events in. */
export type TelemetrySchema =
  | '2022-07-01'
  | '2022-12-13'
  | '2025-01-29'
  /** The Logs API's. */
  | '2020-08-15'
  | '2021-03-18';

/** A line of log of a function or an extension: text, or an object where the log format is JSON. */
export type LogRecord = string | Readonly<Record<string, unknown>>;

/** A line of log or an event of the platform, with its time. */
export type TimedEvent =
  | { readonly timeMs: number; readonly type: 'platform'; readonly event: PlatformEvent }
  | {
      readonly timeMs: number;
      readonly type: 'function' | 'extension';
      readonly record: LogRecord;
    };

/** Schemas from before the JSON log format: a line is text there, whatever it holds. */
const TEXT_ONLY: ReadonlySet<TelemetrySchema> = new Set(['2020-08-15', '2021-03-18', '2022-07-01']);

export function isLogsSchema(schema: TelemetrySchema): boolean {
  return schema === '2020-08-15' || schema === '2021-03-18';
}

/** The JSON texts that an event is in a schema: usually one, none where the schema has no such event. */
export function encodeEvent(timed: TimedEvent, schema: TelemetrySchema): string[] {
  const time = new Date(timed.timeMs).toISOString();
  if (timed.type !== 'platform') {
    return encodeLog(time, timed.type, timed.record, schema);
  }
  const forms = isLogsSchema(schema) ? logsForms(timed.event, schema) : telemetryForms(timed.event);
  return forms.map(({ type, record }) => JSON.stringify({ time, type, record }));
}

/**
 * What a message is where the log format is JSON: the object that it is the text of; else itself.
 * An object that is nested too deep to be written again counts as text.
 */
export function jsonLogRecord(message: string): LogRecord {
  if (!message.startsWith('{')) return message;
  try {
    const parsed: unknown = JSON.parse(message);
    if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) return message;
    JSON.stringify(parsed);
    return { ...parsed };
  } catch {
    return message;
  }
}

/** A function writes what it likes: an object that cannot be written is left out. */
function encodeLog(
  time: string,
  type: string,
  record: LogRecord,
  schema: TelemetrySchema,
): string[] {
  try {
    const asText = typeof record === 'object' && TEXT_ONLY.has(schema);
    return [JSON.stringify({ time, type, record: asText ? JSON.stringify(record) : record })];
  } catch {
    return [];
  }
}

interface EventForm {
  readonly type: string;
  readonly record: unknown;
}

function telemetryForms(event: PlatformEvent): EventForm[] {
  return event.type === 'platform.fault' ? [] : [event];
}

/**
 * The Logs API knows fewer events, with fewer fields: the end of an invocation is one of its own, and
 * `platform.runtimeDone` came with the second schema, without the status `error`.
 */
function logsForms(event: PlatformEvent, schema: TelemetrySchema): EventForm[] {
  switch (event.type) {
    case 'platform.start': {
      const { requestId, version } = event.record;
      return [{ type: event.type, record: { requestId, version } }];
    }
    case 'platform.runtimeDone': {
      if (schema === '2020-08-15') return [];
      const { requestId, status } = event.record;
      const known = status === 'error' ? 'failure' : status;
      return [{ type: event.type, record: { requestId, status: known } }];
    }
    case 'platform.report': {
      const { requestId, metrics, tracing } = event.record;
      return [
        { type: 'platform.end', record: { requestId } },
        { type: event.type, record: { requestId, metrics, tracing } },
      ];
    }
    case 'platform.telemetrySubscription':
      return [{ type: 'platform.logsSubscription', record: event.record }];
    case 'platform.extension':
    case 'platform.fault':
    case 'platform.logsDropped':
      return [event];
    default:
      return [];
  }
}
