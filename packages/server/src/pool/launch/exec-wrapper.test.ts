import { describe, expect, test } from 'vitest';
import { execWrapper, wrapCommand } from './exec-wrapper.ts';
import { testVersion } from '../pool-fixture.ts';

const INSIDE = {
  task: '/var/task',
  runtime: '/var/runtime',
  language: '/var/lang',
  opt: '/opt',
  tmp: '/tmp',
  cache: '/var/cache',
};
const ON_HOST = { ...INSIDE, task: '/data/code', opt: '/data/layers' };
const COMMAND = {
  argv: ['/var/lang/bin/node', '--flag', '/var/runtime/index.cjs'] as const,
  environment: { A: '1' },
  cwd: '/var/task',
  descriptors: 'channel' as const,
};

const wrapping = (wrapper: string, runtime = 'nodejs22.x') =>
  testVersion({ runtime, environment: { AWS_LAMBDA_EXEC_WRAPPER: wrapper } });

describe('exec wrapper', () => {
  test('is started with the interpreter and its arguments as its own', () => {
    expect(
      wrapCommand({ ...COMMAND, argv: [...COMMAND.argv] }, wrapping('/opt/w'), INSIDE),
    ).toEqual({
      argv: ['/opt/w', '/var/lang/bin/node', '--flag', '/var/runtime/index.cjs'],
      environment: { A: '1', _HEARTH_KEEP_ENVIRONMENT: '1' },
      cwd: '/var/task',
      descriptors: 'channel',
    });
  });

  test("AWS's own client for Java is told nothing of ours", () => {
    const command = { ...COMMAND, argv: [...COMMAND.argv] } as const;
    expect(wrapCommand(command, wrapping('/opt/w', 'java21'), INSIDE).environment).toEqual({
      A: '1',
    });
  });

  test.each(['nodejs24.x', 'python3.12', 'java21'])('%s has one', (runtime) => {
    expect(execWrapper(wrapping('/opt/w', runtime), INSIDE)).toBe('/opt/w');
  });

  test.each(['provided', 'provided.al2', 'provided.al2023'])('%s has none', (runtime) => {
    expect(execWrapper(wrapping('/opt/w', runtime), INSIDE)).toBeUndefined();
  });

  test('without the variable, or with an empty one, the runtime itself is started', () => {
    const command = { ...COMMAND, argv: [...COMMAND.argv] } as const;
    expect(wrapCommand(command, testVersion(), INSIDE)).toBe(command);
    expect(wrapCommand(command, wrapping(''), INSIDE)).toBe(command);
  });

  test('on the host itself it is looked for where the folders are', () => {
    expect(execWrapper(wrapping('/opt/bin/w'), ON_HOST)).toBe('/data/layers/bin/w');
    expect(execWrapper(wrapping('/var/task/w'), ON_HOST)).toBe('/data/code/w');
    expect(execWrapper(wrapping('/usr/bin/env'), ON_HOST)).toBe('/usr/bin/env');
    expect(execWrapper(wrapping('/optional/w'), ON_HOST)).toBe('/optional/w');
  });
});
