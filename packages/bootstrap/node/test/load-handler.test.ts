import { describe, expect, test } from 'vitest';
import { answerOf } from '../../contract/answers.ts';
import { NodeRuntime } from './node-runtime.ts';

const node = NodeRuntime.forThisFile();

describe('finding the handler', () => {
  test.each([
    ['a file', 'index.handler', { 'index.js': 'exports.handler = async () => 1;' }],
    [
      'a file in a folder',
      'src/app/index.handler',
      { 'src/app/index.js': 'exports.handler = async () => 1;' },
    ],
    [
      'an inner object',
      'index.a.b.handler',
      { 'index.js': 'exports.a = { b: { handler: async () => 1 } };' },
    ],
    ['a file without an extension', 'index.handler', { index: 'exports.handler = async () => 1;' }],
    ['a .cjs file', 'index.handler', { 'index.cjs': 'exports.handler = async () => 1;' }],
    ['a .mjs file', 'index.handler', { 'index.mjs': 'export const handler = async () => 1;' }],
    [
      'a .js file in a package of modules',
      'src/index.handler',
      {
        'src/index.js': 'export const handler = async () => 1;',
        'package.json': '{"type":"module"}',
      },
    ],
    [
      'a .js file whose nearest package.json says nothing',
      'src/index.handler',
      {
        'src/index.js': 'exports.handler = async () => 1;',
        'src/package.json': '{}',
        'package.json': '{"type":"module"}',
      },
    ],
    [
      'a package in node_modules',
      'package.handler',
      { 'node_modules/package/index.js': 'exports.handler = async () => 1;' },
    ],
    [
      'a module that awaits at its top level',
      'index.handler',
      {
        'index.mjs':
          "import { setTimeout } from 'node:timers/promises';\n" +
          'const value = await setTimeout(5, 1);\nexport const handler = async () => value;',
      },
    ],
    [
      'a module beside CommonJS, .js first',
      'index.handler',
      {
        'index.js': 'exports.handler = async () => 1;',
        'index.mjs': 'export const handler = async () => 2;',
      },
    ],
  ])('%s is found', async (_, handler, files) => {
    const launched = await node.launch(files);
    expect(await launched.init({ handler, runtime: 'nodejs22.x' })).toEqual({ kind: 'ready' });
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('NODE_PATH of the environment leads to layers', async () => {
    const launched = await node.launch({
      'opt/nodejs/node_modules/layer/index.js': 'module.exports = 1;',
      'task/index.js': "const value = require('layer'); exports.handler = async () => value;",
    });
    const taskRoot = `${launched.taskRoot}/task`;
    const environment = { NODE_PATH: `${launched.taskRoot}/opt/nodejs/node_modules` };
    await launched.init({ handler: 'index.handler', runtime: 'nodejs22.x', taskRoot, environment });
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('an unreadable package.json is warned of and ignored', async () => {
    const launched = await node.launch({
      'index.cjs': 'exports.handler = async () => 1;',
      'package.json': '{"type":',
    });
    await launched.init({ handler: 'index.handler', runtime: 'nodejs22.x' });
    const warning = await launched.logged('package.json cannot be read');
    expect(warning.level).toBe('WARN');
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('no module is the main module', async () => {
    const launched = await node.ready(
      'exports.handler = async () => [require.main === undefined, process.argv[1]];',
    );
    expect(answerOf(await launched.invoke({}))).toEqual([true, '/var/runtime/index.mjs']);
  });
});

describe('a handler that cannot be loaded', () => {
  const files = { 'index.js': 'exports.value = 1; exports.zero = 0;' };

  test.each([
    ['index', 'Runtime.MalformedHandlerName', 'Bad handler'],
    [
      '../index.handler',
      'Runtime.MalformedHandlerName',
      "'../index.handler' is not a valid handler name. Use absolute paths when specifying root directories in handler names.",
    ],
    ['index.missing', 'Runtime.HandlerNotFound', 'index.missing is undefined or not exported'],
    [
      'index.missing.inner',
      'Runtime.HandlerNotFound',
      'index.missing.inner is undefined or not exported',
    ],
    ['index.zero', 'Runtime.HandlerNotFound', 'index.zero is undefined or not exported'],
    ['index.value', 'Runtime.HandlerNotFound', 'index.value is not a function'],
  ])('%s is %s: %s', async (handler, errorType, errorMessage) => {
    const failed = await node.failedInit(files, { handler });
    expect(failed).toMatchObject({ errorType, code: 1 });
    expect(failed.body).toMatchObject({ errorType, errorMessage });
  });

  test('a missing handler module is an ImportModuleError', async () => {
    const failed = await node.failedInit({});
    expect(failed.errorType).toBe('Runtime.ImportModuleError');
    expect(failed.body['errorMessage']).toMatch(
      /^Error: Cannot find module 'index'\nRequire stack:\n- \/var\/runtime\/index\.mjs$/,
    );
  });

  test('a missing dependency is an ImportModuleError with the stack of requires', async () => {
    const failed = await node.failedInit({ 'index.js': "require('absent');" });
    expect(failed.errorType).toBe('Runtime.ImportModuleError');
    expect(failed.body['errorMessage']).toBe(
      "Error: Cannot find module 'absent'\nRequire stack:\n" +
        `- ${failed.launched.taskRoot}/index.js\n- /var/runtime/index.mjs`,
    );
  });

  test('a missing dependency of a module keeps its own error', async () => {
    const failed = await node.failedInit({ 'index.mjs': "import 'absent';" });
    expect(failed).toMatchObject({ errorType: 'Error', code: 1 });
    expect(failed.body['errorMessage']).toMatch(/^Cannot find package 'absent' imported from/);
  });

  test.each([
    ['index.js', 'exports.handler = async () => {'],
    ['index.mjs', 'export const handler = async () => {'],
  ])('a syntax error in %s is a UserCodeSyntaxError', async (name, source) => {
    const failed = await node.failedInit({ [name]: source });
    expect(failed).toMatchObject({ errorType: 'Runtime.UserCodeSyntaxError', code: 1 });
    expect(failed.body['errorMessage']).toBe('SyntaxError: Unexpected end of input');
  });

  test('an error of the function itself keeps its name, and is logged', async () => {
    const failed = await node.failedInit({
      'index.js': "class Broken extends Error { name = 'Broken'; }\nthrow new Broken('at load');",
    });
    expect(failed).toMatchObject({ errorType: 'Broken', code: 1 });
    const { message, level } = await failed.launched.logged('Uncaught Exception');
    expect(level).toBe('ERROR');
    const [time, requestId, name, title, json] = message.split('\t');
    expect(time).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    expect([requestId, name, title]).toEqual(['undefined', 'ERROR', 'Uncaught Exception ']);
    expect(JSON.parse(json ?? '')).toMatchObject({
      errorType: 'Broken',
      errorMessage: 'at load',
      stack: expect.arrayContaining(['Broken: at load']),
    });
  });

  test('a promise that is rejected while the module loads fails init with status 128', async () => {
    const failed = await node.failedInit({
      'index.js': "Promise.reject(new Error('aside')); exports.handler = async () => 1;",
    });
    expect(failed).toMatchObject({ errorType: 'Runtime.UnhandledPromiseRejection', code: 128 });
    expect(failed.body).toMatchObject({ errorMessage: 'Error: aside' });
  });

  test('an exception on the side while the module loads fails init with status 129', async () => {
    const failed = await node.failedInit({
      'index.mjs':
        "setImmediate(() => { throw new Error('aside'); });\n" +
        'await new Promise((resolve) => setTimeout(resolve, 60_000));',
    });
    expect(failed).toMatchObject({ errorType: 'Error', code: 129 });
  });

  test('a module that never finishes to load ends the process with status 13', async () => {
    const launched = await node.launch({ 'index.mjs': 'await new Promise(() => {});' });
    const init = launched.init({ handler: 'index.handler', runtime: 'nodejs22.x' });
    await expect(init).rejects.toMatchObject({ name: 'RuntimeGoneError' });
    expect(await launched.exited).toEqual({ code: 13, signal: undefined });
  });
});

describe('callback handlers', () => {
  const source = 'exports.handler = (event, context, callback) => callback(null, 1);';

  test.each(['nodejs24.x', 'nodejs26.x'])('%s refuses them', async (runtime) => {
    const failed = await node.failedInit({ 'index.js': source }, { runtime });
    expect(failed).toMatchObject({ errorType: 'Runtime.CallbackHandlerDeprecated', code: 1 });
    expect(failed.body['errorMessage']).toMatch(
      /^ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node\.js 24\./,
    );
  });

  test('nodejs24.x refuses three parameters even of an async handler', async () => {
    const failed = await node.failedInit(
      { 'index.js': 'exports.handler = async (event, context, callback) => 1;' },
      { runtime: 'nodejs24.x' },
    );
    expect(failed.errorType).toBe('Runtime.CallbackHandlerDeprecated');
  });

  test('earlier runtimes warn of them', async () => {
    const launched = await node.ready(source);
    const warning = await launched.logged('AWS Lambda plans to remove support for callback-based');
    expect(warning.level).toBe('WARN');
  });

  test('the warning can be turned off', async () => {
    const environment = { AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING: '1' };
    const launched = await node.ready(`console.log('loaded'); ${source}`, { environment });
    await launched.invoke({});
    await launched.logged('loaded');
    expect(launched.logs).toHaveLength(1);
  });
});
