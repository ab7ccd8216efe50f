import { describe, expect, test } from 'vitest';
import { failureOf, verdictOf } from './outcome.ts';

const exit = (code: number | undefined, signal?: string, outOfMemory = false) =>
  ({ kind: 'exited', exit: { code, signal, outOfMemory } }) as const;

function payloadOf(end: Parameters<typeof verdictOf>[0]): unknown {
  return JSON.parse(Buffer.from(verdictOf(end, 'id', 3).payload).toString());
}

describe('verdict', () => {
  test('a timeout names the seconds with two decimals', () => {
    expect(payloadOf({ kind: 'timeout' })).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: 'RequestId: id Error: Task timed out after 3.00 seconds',
    });
  });

  test.each([
    [exit(0), 'Runtime exited without providing a reason'],
    [exit(129), 'Runtime exited with error: exit status 129'],
    [exit(undefined, 'killed'), 'Runtime exited with error: signal: killed'],
  ])('an exit is described as AWS describes it %#', (end, text) => {
    expect(payloadOf(end)).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: id Error: ${text}`,
    });
  });

  test('reaching the memory limit is told apart in the report', () => {
    expect(verdictOf(exit(undefined, 'killed', true), 'id', 3).failure).toEqual({
      status: 'error',
      errorType: 'Runtime.OutOfMemory',
    });
  });

  test('an error that the handler threw is no failure of the process', () => {
    const end = { kind: 'error', errorType: 'Error', payload: Buffer.from('{}') } as const;
    expect(verdictOf(end, 'id', 3)).toMatchObject({ kind: 'function-error', errorType: 'Error' });
    expect(verdictOf(end, 'id', 3).failure).toBeUndefined();
  });

  test('an error after which the runtime exits is a failure of the process', () => {
    const end = { kind: 'error', errorType: 'E', payload: Buffer.from('{}'), fatal: true } as const;
    expect(verdictOf(end, 'id', 3).failure).toEqual({
      status: 'error',
      errorType: 'Runtime.ExitError',
    });
  });

  test.each([
    ['Runtime.ImportModuleError', 'Runtime.ImportModuleError'],
    ['Function.Own', 'Function.Own'],
    ['Function.7', 'Function.Unknown'],
    ['OwnError', 'Runtime.Unknown'],
  ])('an init that failed with %s is reported as %s', (errorType, reported) => {
    const end = { kind: 'error', errorType, payload: Buffer.from('{}') } as const;
    expect(failureOf(end)).toEqual({ status: 'error', errorType: reported });
    expect(verdictOf(end, 'id', 3).errorType).toBe(errorType);
  });
});
