import { describe, expect, test } from 'vitest';
import {
  extensionLine,
  initReportLine,
  initStartLine,
  reportLine,
  sampledTrace,
  startLine,
  subscriptionLine,
} from './platform-lines.ts';

const FIGURES = {
  requestId: 'id',
  durationMs: 12.341,
  billedDurationMs: 13,
  memoryMb: 128,
  maxMemoryUsedMb: 31,
};

describe('platform lines', () => {
  test('REPORT separates its fields by tabs and ends with one', () => {
    expect(reportLine(FIGURES)).toBe(
      'REPORT RequestId: id\tDuration: 12.34 ms\tBilled Duration: 13 ms\tMemory Size: 128 MB\tMax Memory Used: 31 MB\t',
    );
  });

  test('REPORT tells the init duration of the first invoke', () => {
    expect(reportLine({ ...FIGURES, initDurationMs: 80 })).toMatch(/\tInit Duration: 80.00 ms\t$/);
  });

  test('REPORT tells a timeout without an error type, and no tab follows', () => {
    expect(reportLine({ ...FIGURES, failure: { status: 'timeout' } })).toMatch(
      /31 MB\tStatus: timeout$/,
    );
  });

  test('REPORT tells an exit with its error type', () => {
    const failure = { status: 'error', errorType: 'Runtime.ExitError' } as const;
    expect(reportLine({ ...FIGURES, failure })).toMatch(
      /\tStatus: error\tError Type: Runtime.ExitError$/,
    );
  });

  test('REPORT has a second line where the invocation was traced', () => {
    const trace = sampledTrace(
      'Root=1-6b07c833-f8ec4779a8943fadb727ad71;Parent=ae95fb601a9053ff;Sampled=1',
    );
    expect(trace).toBeDefined();
    const line = reportLine({
      ...FIGURES,
      failure: { status: 'timeout' },
      ...(trace && { trace }),
    });
    expect(line.slice(line.indexOf('Max'))).toBe(
      'Max Memory Used: 31 MB\tStatus: timeout\n' +
        'XRAY TraceId: 1-6b07c833-f8ec4779a8943fadb727ad71\tSegmentId: ae95fb601a9053ff\tSampled: true\t',
    );
    const root = 'Root=1-6b07c833-f8ec4779a8943fadb727ad71';
    for (const other of [`${root};Parent=ae95fb601a9053ff;Sampled=0`, root, 'Self=1', '']) {
      expect(sampledTrace(other)).toBeUndefined();
    }
  });

  test('INIT_REPORT names phase, status and error type', () => {
    expect(
      initReportLine(348.991, 'init', { status: 'error', errorType: 'Runtime.ImportModuleError' }),
    ).toBe(
      'INIT_REPORT Init Duration: 348.99 ms\tPhase: init\tStatus: error\tError Type: Runtime.ImportModuleError',
    );
    expect(initReportLine(9999.47, 'invoke', { status: 'timeout' })).toBe(
      'INIT_REPORT Init Duration: 9999.47 ms\tPhase: invoke\tStatus: timeout',
    );
  });

  test('EXTENSION names the events, TELEMETRY the types with capitals', () => {
    expect(extensionLine({ name: 'agent', state: 'Ready', events: ['INVOKE', 'SHUTDOWN'] })).toBe(
      'EXTENSION\tName: agent\tState: Ready\tEvents: [INVOKE, SHUTDOWN]',
    );
    expect(subscriptionLine('telemetry', 'agent', ['platform', 'function'])).toBe(
      'TELEMETRY\tName: agent\tState: Subscribed\tTypes: [Platform, Function]',
    );
    expect(subscriptionLine('logs', 'agent', ['extension'])).toBe(
      'LOGS\tName: agent\tState: Subscribed\tTypes: [Extension]',
    );
  });

  test('START and INIT_START read as on AWS', () => {
    expect(startLine('id', '$LATEST')).toBe('START RequestId: id Version: $LATEST');
    expect(initStartLine('nodejs:22.v11', 'arn')).toBe(
      'INIT_START Runtime Version: nodejs:22.v11\tRuntime Version ARN: arn',
    );
  });
});
