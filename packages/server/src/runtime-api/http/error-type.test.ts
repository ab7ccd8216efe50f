import { describe, expect, test } from 'vitest';
import { errorWithoutCause, platformErrorType } from './error-type.ts';

const EMPTY = Buffer.alloc(0);

describe('the type of an error in logs and metrics', () => {
  test.each([
    ['Runtime.ImportModuleError', 'Runtime.ImportModuleError'],
    ['Function.MyCustomErrorTypeHere', 'Function.MyCustomErrorTypeHere'],
    ['ValueError', 'Runtime.Unknown'],
    ['MyCustomError.Error', 'Runtime.Unknown'],
    ['Runtime.lower', 'Runtime.Unknown'],
    ['Function.lower', 'Function.Unknown'],
    ['Function<RuntimeError>', 'Runtime.Unknown'],
  ])('%s is told as %s', (given, told) => {
    expect(platformErrorType(given, EMPTY)).toBe(told);
  });

  test('is the body’s where the header is absent', () => {
    expect(platformErrorType(undefined, Buffer.from('{"errorType":"Runtime.Odd"}'))).toBe(
      'Runtime.Odd',
    );
  });

  test.each(['', 'null', '[]', '{"errorType":1}', '{', `"${'x'.repeat(300_000)}"`])(
    'is unknown where the body is not an error',
    (body) => {
      expect(platformErrorType(undefined, Buffer.from(body))).toBe('Runtime.Unknown');
    },
  );

  test('cannot break a log line', () => {
    const given = `{"errorType":"Runtime.Odd\\nREPORT RequestId: x\\t${'y'.repeat(999)}"}`;
    const told = platformErrorType(undefined, Buffer.from(given));
    expect(told).toMatch(/^Runtime\.Odd REPORT RequestId: x y+$/);
    expect(told.length).toBeLessThanOrEqual(256);
  });
});

describe('an error with its cause', () => {
  test('keeps message, type and stack trace', () => {
    const body = '{"stackTrace":["a"],"errorCause":{"x":1},"errorType":"T","errorMessage":"m"}';
    expect(errorWithoutCause(Buffer.from(body)).toString()).toBe(
      '{"errorMessage":"m","errorType":"T","stackTrace":["a"]}',
    );
  });

  test.each([
    '',
    '1',
    '{"errorMessage":1}',
    '{"errorType":{}}',
    '{"stackTrace":"x"}',
    '{"stackTrace":[1]}',
  ])('that is none becomes a text that says so: %s', (body) => {
    expect(errorWithoutCause(Buffer.from(body)).toString()).toBe('"Invalid error body"');
  });
});
