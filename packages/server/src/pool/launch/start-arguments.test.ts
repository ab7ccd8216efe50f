import { describe, expect, test } from 'vitest';
import type { FunctionVersion } from '../../domain/function.ts';
import type { Interpreter } from '../../runtimes/runtime-catalog.ts';
import { startArguments } from './start-arguments.ts';

const PATHS = { task: '/t', runtime: '/r', language: '/l', opt: '/o', tmp: '/tmp', cache: '/c' };

function argumentsFor(runtime: string, version: string, nodeOptions = ''): string[] {
  const interpreter = { family: runtime.startsWith('node') ? 'nodejs' : 'python', version };
  const environment = nodeOptions === '' ? {} : { NODE_OPTIONS: nodeOptions };
  return startArguments(
    interpreter as Interpreter,
    { runtime, memoryMb: 512, environment } as unknown as FunctionVersion,
    PATHS,
  );
}

describe('start arguments', () => {
  test('the heap of Node.js follows the memory setting', () => {
    expect(argumentsFor('nodejs24.x', '24.1.0')).toEqual([
      '--max-http-header-size=81920',
      '--max-semi-space-size=25',
      '--max-old-space-size=460',
      '/r/index.cjs',
    ]);
  });

  test('nodejs22.x runs without the experimental features that AWS turns off', () => {
    const found = argumentsFor('nodejs22.x', '22.11.0');
    expect(found).toContain('--no-experimental-require-module');
    expect(found).toContain('--no-experimental-detect-module');
  });

  test('the function may turn such a feature on', () => {
    const found = argumentsFor('nodejs22.x', '22.11.0', '--experimental-require-module');
    expect(found).not.toContain('--no-experimental-require-module');
    expect(found).toContain('--no-experimental-detect-module');
  });

  test('an interpreter that does not know a switch is not given it', () => {
    expect(argumentsFor('nodejs20.x', '18.20.0').join()).not.toContain('experimental');
    expect(argumentsFor('nodejs20.x', '20.9.0').join()).not.toContain('experimental');
  });

  test('Python starts its bootstrap without user packages', () => {
    expect(argumentsFor('python3.12', '3.12.1')).toEqual([
      '-s',
      '-B',
      '-X',
      'utf8',
      '/r/bootstrap.py',
    ]);
  });
});
