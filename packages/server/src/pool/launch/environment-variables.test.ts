import { describe, expect, test } from 'vitest';
import type { FunctionVersion } from '../../domain/function.ts';
import { environmentVariables } from './environment-variables.ts';

const INSIDE = {
  task: '/var/task',
  runtime: '/var/runtime',
  language: '/var/lang',
  opt: '/opt',
  tmp: '/tmp',
  cache: '/var/hearth/cache',
};

function variables(over: Partial<FunctionVersion> = {}, hostPath?: string): Record<string, string> {
  const version = {
    accountId: '123456789012',
    region: 'eu-west-1',
    functionName: 'fn',
    version: '$LATEST',
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    memoryMb: 128,
    environment: {},
    logGroupName: '/aws/lambda/fn',
    ...over,
  } as FunctionVersion;
  return environmentVariables({
    version,
    paths: INSIDE,
    logStreamName: 'stream',
    endpoint: 'http://127.0.0.1:4566',
    runtimeApi: '169.254.100.1:9001',
    ...(hostPath !== undefined && { hostPath }),
  });
}

describe('environment variables', () => {
  test('a Node.js function sees what AWS Lambda sets', () => {
    expect(variables()).toMatchObject({
      _HANDLER: 'index.handler',
      AWS_REGION: 'eu-west-1',
      AWS_DEFAULT_REGION: 'eu-west-1',
      AWS_EXECUTION_ENV: 'AWS_Lambda_nodejs22.x',
      AWS_LAMBDA_FUNCTION_NAME: 'fn',
      AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
      AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
      AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
      AWS_LAMBDA_LOG_GROUP_NAME: '/aws/lambda/fn',
      AWS_LAMBDA_LOG_STREAM_NAME: 'stream',
      LAMBDA_TASK_ROOT: '/var/task',
      LAMBDA_RUNTIME_DIR: '/var/runtime',
      LANG: 'en_US.UTF-8',
      TZ: ':UTC',
      PATH: '/var/lang/bin:/usr/local/bin:/usr/bin/:/bin:/opt/bin',
      LD_LIBRARY_PATH:
        '/var/lang/lib:/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib',
      NODE_PATH:
        '/opt/nodejs/node22/node_modules:/opt/nodejs/node_modules:/var/runtime/node_modules:/var/runtime:/var/task',
    });
  });

  test('and nothing else but the address of this server and the place for its files', () => {
    expect(Object.keys(variables()).sort()).toEqual([
      'AWS_ACCESS_KEY',
      'AWS_ACCESS_KEY_ID',
      'AWS_DEFAULT_REGION',
      'AWS_ENDPOINT_URL',
      'AWS_EXECUTION_ENV',
      'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
      'AWS_LAMBDA_FUNCTION_NAME',
      'AWS_LAMBDA_FUNCTION_VERSION',
      'AWS_LAMBDA_INITIALIZATION_TYPE',
      'AWS_LAMBDA_LOG_FORMAT',
      'AWS_LAMBDA_LOG_GROUP_NAME',
      'AWS_LAMBDA_LOG_STREAM_NAME',
      'AWS_LAMBDA_RUNTIME_API',
      'AWS_REGION',
      'AWS_SECRET_ACCESS_KEY',
      'AWS_SESSION_TOKEN',
      'AWS_XRAY_CONTEXT_MISSING',
      'AWS_XRAY_DAEMON_ADDRESS',
      'LAMBDA_RUNTIME_DIR',
      'LAMBDA_TASK_ROOT',
      'LANG',
      'LD_LIBRARY_PATH',
      'NODE_PATH',
      'PATH',
      'TMPDIR',
      'TZ',
      '_AWS_XRAY_DAEMON_ADDRESS',
      '_AWS_XRAY_DAEMON_PORT',
      '_HANDLER',
    ]);
    expect(variables()).toMatchObject({
      AWS_LAMBDA_LOG_FORMAT: 'Text',
      AWS_LAMBDA_RUNTIME_API: '169.254.100.1:9001',
      AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
      AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1:2000',
      _AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1',
      _AWS_XRAY_DAEMON_PORT: '2000',
    });
  });

  test.each(['nodejs18.x', 'nodejs20.x', 'nodejs24.x'])('%s has its own layers', (runtime) => {
    const major = /\d+/.exec(runtime)?.[0];
    expect(variables({ runtime })['NODE_PATH']).toMatch(`/opt/nodejs/node${major}/node_modules:`);
  });

  test('a Python function gets PYTHONPATH instead of NODE_PATH', () => {
    const found = variables({ runtime: 'python3.12' });
    expect(found['PYTHONPATH']).toBe('/var/runtime');
    expect(found).not.toHaveProperty('NODE_PATH');
  });

  test('where the program comes with the function no runtime is named', () => {
    const seen = variables({ runtime: 'provided.al2023', handler: 'anything' });
    expect(seen).toMatchObject({
      _HANDLER: 'anything',
      PATH: '/usr/local/bin:/usr/bin/:/bin:/opt/bin',
      LD_LIBRARY_PATH:
        '/lib64:/usr/lib64:/var/runtime:/var/runtime/lib:/var/task:/var/task/lib:/opt/lib',
    });
    expect(Object.keys(seen)).not.toContain('AWS_EXECUTION_ENV');
    expect(Object.keys(seen)).not.toContain('NODE_PATH');
  });

  test('a Java function gets no search path of another language', () => {
    const seen = variables({ runtime: 'java21' });
    expect(seen['AWS_EXECUTION_ENV']).toBe('AWS_Lambda_java21');
    expect(seen['PATH']).toMatch(/^\/var\/lang\/bin:/);
    expect(Object.keys(seen)).not.toContain('NODE_PATH');
    expect(Object.keys(seen)).not.toContain('PYTHONPATH');
  });

  test('its SDK clients reach this server as its own account, unless it says otherwise', () => {
    expect(variables()).toMatchObject({
      AWS_ENDPOINT_URL: 'http://127.0.0.1:4566',
      AWS_ACCESS_KEY_ID: '123456789012',
    });
    const own = variables({ environment: { AWS_ENDPOINT_URL: 'http://elsewhere' } });
    expect(own['AWS_ENDPOINT_URL']).toBe('http://elsewhere');
  });

  test('a variable of the user never replaces a reserved one', () => {
    const found = variables({ environment: { AWS_REGION: 'x', TZ: 'Europe/Berlin' } });
    expect(found['AWS_REGION']).toBe('eu-west-1');
    expect(found['TZ']).toBe('Europe/Berlin');
  });

  test('on the host itself programs are found on its PATH and its libraries are left alone', () => {
    const found = variables({}, '/usr/bin:/bin');
    expect(found['PATH']).toBe('/var/lang/bin:/usr/bin:/bin:/opt/bin');
    expect(found['LD_LIBRARY_PATH']).not.toContain('lib64');
  });
});
