import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { checkEnvironmentVariables } from './environment-variable-rules.ts';

function isRefused(variables: Record<string, string>): boolean {
  try {
    checkEnvironmentVariables(variables);
    return false;
  } catch (error) {
    return String(error).includes('exceeded the 4KB limit. String measured: {"KEY":');
  }
}

describe('checkEnvironmentVariables', () => {
  test('names every reserved variable', () => {
    expect(() =>
      checkEnvironmentVariables({ AWS_REGION: 'x', MINE: 'y', LAMBDA_TASK_ROOT: '/' }),
    ).toThrow(
      'Lambda was unable to configure your environment variables because the environment variables you have ' +
        'provided contains reserved keys that are currently not supported for modification. ' +
        'Reserved keys used in this request: AWS_REGION, LAMBDA_TASK_ROOT',
    );
  });

  test('variables that act only inside the sandbox are allowed', () => {
    const variables = {
      LD_PRELOAD: '/x.so',
      NODE_OPTIONS: '--inspect',
      BASH_ENV: '/x',
      PATH: '/bin',
    };
    expect(() => checkEnvironmentVariables(variables)).not.toThrow();
  });

  test('refuses NUL', () => {
    expect(() => checkEnvironmentVariables({ KEY: 'a\0b' })).toThrow('contains a NUL character');
  });

  test('allows exactly 4,096 bytes of compact JSON and not one more', () => {
    const letters = fc.constantFrom('a', 'é', '€', '"', '😀');
    const property = fc.property(letters, fc.integer({ min: 0, max: 4_096 }), (letter, count) => {
      const variables = { KEY: letter.repeat(count) };
      return isRefused(variables) === Buffer.byteLength(JSON.stringify(variables)) > 4_096;
    });
    expect(() => fc.assert(property)).not.toThrow();
    expect(isRefused({ KEY: 'a'.repeat(4_086) })).toBe(false);
    expect(isRefused({ KEY: 'a'.repeat(4_087) })).toBe(true);
  });

  test('the message does not repeat an environment of megabytes', () => {
    expect(() => checkEnvironmentVariables({ KEY: 'x'.repeat(5_000_000) })).toThrow(
      expect.toSatisfy((error: Error) => error.message.length < 20_000),
    );
  });
});
