import { describe, expect, test } from 'vitest';
import { launchWarnings } from './launch-warnings.ts';
import { testVersion } from '../pool-fixture.ts';

const interpreter = {
  family: 'nodejs' as const,
  version: '24.1.0',
  prefix: '/usr',
  program: 'bin/node',
  origin: 'PATH',
};

describe('launch warnings', () => {
  test('there are none where interpreter and machine are what was asked for', () => {
    expect(launchWarnings(testVersion(), { interpreter, exact: true }, 'x64')).toEqual([]);
  });

  test('the nearest interpreter is named, and how to get the right one', () => {
    const version = testVersion({ runtime: 'nodejs22.x' });
    expect(launchWarnings(version, { interpreter, exact: false }, 'x64')).toEqual([
      'nodejs22.x runs on Node.js 24.1.0, the nearest on this machine. To have the matching one: hearth runtimes install nodejs22.x',
    ]);
  });

  test('another architecture than the machine has is told', () => {
    const version = testVersion({ architecture: 'arm64' });
    expect(launchWarnings(version, { interpreter, exact: true }, 'x64')).toEqual([
      "Architecture arm64 runs on x86_64, this machine's own: native code that was built for arm64 does not load",
    ]);
  });
});
