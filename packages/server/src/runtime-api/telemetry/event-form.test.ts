import { describe, expect, test } from 'vitest';
import { encodeEvent, jsonLogRecord, type TelemetrySchema } from './event-form.ts';
import {
  extension,
  fault,
  initReport,
  initRuntimeDone,
  initStart,
  logsDropped,
  report,
  runtimeDone,
  start,
  telemetrySubscription,
  type PlatformEvent,
} from './telemetry-event.ts';

const TIME_MS = Date.UTC(2025, 0, 29, 12, 0, 15, 64);
const REQUEST_ID = '6d68ca91-49c9-448d-89b8-7ca3e6dc66aa';
const TRACING = { spanId: '54565fb41ac79632', type: 'X-Amzn-Trace-Id', value: 'Root=1' } as const;

function forms(event: PlatformEvent, schema: TelemetrySchema): unknown[] {
  return encodeEvent({ timeMs: TIME_MS, type: 'platform', event }, schema).map((text): unknown =>
    JSON.parse(text),
  );
}

const METRICS = {
  durationMs: 693.92,
  billedDurationMs: 694,
  memorySizeMB: 128,
  maxMemoryUsedMB: 84,
};

const EVENTS: PlatformEvent[] = [
  initStart({
    initializationType: 'on-demand',
    phase: 'init',
    functionName: 'f',
    functionVersion: '$LATEST',
    runtimeVersion: undefined,
  }),
  initRuntimeDone({ initializationType: 'on-demand', phase: 'init', status: 'success' }),
  initReport({
    initializationType: 'on-demand',
    phase: 'invoke',
    status: 'error',
    errorType: 'Runtime.ExitError',
    metrics: { durationMs: 125.33 },
  }),
  start({ requestId: REQUEST_ID, version: '$LATEST', tracing: TRACING }),
  runtimeDone({
    requestId: REQUEST_ID,
    status: 'error',
    errorType: 'Runtime.ExitError',
    metrics: { durationMs: 140, producedBytes: 16 },
    spans: [{ name: 'responseLatency', start: '2025-01-29T12:00:15.064Z', durationMs: 23.02 }],
  }),
  report({ requestId: REQUEST_ID, status: 'success', metrics: METRICS, tracing: TRACING }),
  extension({ name: 'x', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] }),
  telemetrySubscription('x', ['platform', 'function']),
  logsDropped({ reason: 'r', droppedRecords: 123, droppedBytes: 12_345 }),
  fault(`RequestId: ${REQUEST_ID} Process exited before completing request`),
];

describe('the form of events', () => {
  test('telemetry gets each record as it is, and nothing of the Logs API', () => {
    for (const schema of ['2022-07-01', '2022-12-13', '2025-01-29'] as const) {
      expect(EVENTS.flatMap((event) => forms(event, schema))).toEqual(
        EVENTS.filter(({ type }) => type !== 'platform.fault').map(({ type, record }) => ({
          time: '2025-01-29T12:00:15.064Z',
          type,
          record: JSON.parse(JSON.stringify(record)) as unknown,
        })),
      );
    }
  });

  test('a field without a value is absent', () => {
    const [first] = EVENTS;
    expect(JSON.stringify(first && forms(first, '2025-01-29'))).not.toContain('runtimeVersion');
  });

  test('the first schema of logs knows start, end and report, faults, extensions and subscriptions', () => {
    const time = '2025-01-29T12:00:15.064Z';
    expect(EVENTS.flatMap((event) => forms(event, '2020-08-15'))).toEqual([
      { time, type: 'platform.start', record: { requestId: REQUEST_ID, version: '$LATEST' } },
      { time, type: 'platform.end', record: { requestId: REQUEST_ID } },
      {
        time,
        type: 'platform.report',
        record: { requestId: REQUEST_ID, metrics: METRICS, tracing: TRACING },
      },
      {
        time,
        type: 'platform.extension',
        record: { name: 'x', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] },
      },
      {
        time,
        type: 'platform.logsSubscription',
        record: { name: 'x', state: 'Subscribed', types: ['platform', 'function'] },
      },
      {
        time,
        type: 'platform.logsDropped',
        record: { reason: 'r', droppedRecords: 123, droppedBytes: 12_345 },
      },
      {
        time,
        type: 'platform.fault',
        record: `RequestId: ${REQUEST_ID} Process exited before completing request`,
      },
    ]);
  });

  test('the second schema of logs has runtimeDone, which knows no status error', () => {
    const done = EVENTS.flatMap((event) => forms(event, '2021-03-18')).filter(
      (form) => (form as PlatformEvent).type === 'platform.runtimeDone',
    );
    expect(done).toMatchObject([{ record: { requestId: REQUEST_ID, status: 'failure' } }]);
    expect(JSON.stringify(done)).not.toContain('metrics');
  });

  test('a line of log stands on one line, whatever is in it', () => {
    const [text = ''] = encodeEvent(
      { timeMs: TIME_MS, type: 'function', record: 'a\nb"}\r\n{"type":"platform.report"}\u2028' },
      '2025-01-29',
    );
    expect(text).not.toContain('\n');
    expect(JSON.parse(text)).toEqual({
      time: '2025-01-29T12:00:15.064Z',
      type: 'function',
      record: 'a\nb"}\r\n{"type":"platform.report"}\u2028',
    });
  });
});

describe('a message under the JSON log format', () => {
  test('is an object for the schemas that know it, and its text for those before', () => {
    const event = { timeMs: TIME_MS, type: 'function', record: { level: 'INFO' } } as const;
    const recordIn = (schema: TelemetrySchema): unknown =>
      (JSON.parse(encodeEvent(event, schema)[0] ?? '') as { record: unknown }).record;
    for (const schema of ['2022-12-13', '2025-01-29'] as const) {
      expect(recordIn(schema)).toEqual({ level: 'INFO' });
    }
    for (const schema of ['2020-08-15', '2021-03-18', '2022-07-01'] as const) {
      expect(recordIn(schema)).toBe('{"level":"INFO"}');
    }
  });

  test('that is an object becomes one, any other stays text', () => {
    expect(jsonLogRecord('{"level":"INFO"}')).toEqual({ level: 'INFO' });
    for (const text of ['[1]', '"x"', '1', 'null', '{broken', 'plain']) {
      expect(jsonLogRecord(text)).toBe(text);
    }
  });

  test('that is nested too deep to be written again stays text', () => {
    const deep = `${'{"a":'.repeat(200_000)}1${'}'.repeat(200_000)}`;
    const record = jsonLogRecord(deep);
    expect(() =>
      encodeEvent({ timeMs: TIME_MS, type: 'function', record }, '2025-01-29'),
    ).not.toThrow();
    expect(record).toBe(deep);
  });

  test('cannot touch prototypes', () => {
    const record = jsonLogRecord('{"__proto__":{"polluted":true}}');
    expect(({} as { polluted?: boolean }).polluted).toBeUndefined();
    const [text] = encodeEvent({ timeMs: TIME_MS, type: 'function', record }, '2025-01-29');
    expect(text).toContain('"__proto__":{"polluted":true}');
  });
});
