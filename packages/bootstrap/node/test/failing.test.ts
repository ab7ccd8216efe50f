import { describe, expect, test } from 'vitest';
import { answerOf, errorOf } from '../../contract/answers.ts';
import { NodeRuntime } from './node-runtime.ts';

const node = NodeRuntime.forThisFile();

describe.each(['nodejs22.x', 'nodejs24.x'])('errors on %s', (runtime) => {
  test('an error has name, message and the lines of its stack', async () => {
    const launched = await node.ready(
      `class Refused extends Error { constructor(m) { super(m); this.name = 'Refused'; this.extra = 7; } }
       exports.handler = async () => { throw new Refused('no'); };`,
      { runtime },
    );
    const { body, errorType } = errorOf(await launched.invoke({}));
    expect(errorType).toBe('Refused');
    expect(Object.keys(body)).toEqual(['errorType', 'errorMessage', 'trace']);
    expect(body).toMatchObject({
      errorType: 'Refused',
      errorMessage: 'no',
      trace: expect.arrayContaining([expect.stringContaining('index.js')]),
    });
    const { message } = await launched.logged('Invoke Error');
    expect(message).toContain('\t6bc28136-xmpl-4365-b021-0ce6b2e64ab0\tERROR\tInvoke Error \t{');
    expect(JSON.parse(message.slice(message.indexOf('{')))).toMatchObject({
      errorType: 'Refused',
      errorMessage: 'no',
      extra: 7,
      stack: expect.any(Array),
    });
  });

  test.each([
    ["'text'", 'string', 'text'],
    ['42', 'number', '42'],
    ['({ a: 1 })', 'object', '[object Object]'],
    ['true', 'boolean', 'true'],
  ])('throw %s is told by its type and its text', async (value, errorType, errorMessage) => {
    const launched = await node.ready(`exports.handler = async () => { throw ${value}; };`, {
      runtime,
    });
    expect(errorOf(await launched.invoke({})).body).toEqual({ errorType, errorMessage, trace: [] });
  });

  test('an error whose fields throw is still told', async () => {
    const launched = await node.ready(
      `exports.handler = async () => {
         throw Object.defineProperty(new Error('x'), 'message', { get() { throw new Error('no'); } });
       };`,
      { runtime },
    );
    expect(errorOf(await launched.invoke({})).body).toMatchObject({ errorType: 'handled' });
    expect((await launched.invoke({})).kind).toBe('error');
  });

  test('a synchronous throw is an error of the event', async () => {
    const launched = await node.ready("exports.handler = () => { throw new Error('now'); };", {
      runtime,
    });
    expect(errorOf(await launched.invoke({}))).toMatchObject({ errorType: 'Error', fatal: false });
    expect((await launched.invoke({})).kind).toBe('error');
  });

  test('an uncaught exception is reported, then the process exits with status 129', async () => {
    const launched = await node.ready(
      `exports.handler = () => new Promise(() => setTimeout(() => { throw new RangeError('aside'); }, 1));`,
      { runtime },
    );
    const error = errorOf(await launched.invoke({}));
    expect(error).toMatchObject({ errorType: 'RangeError', fatal: true });
    expect(error.body).toMatchObject({ errorType: 'RangeError', errorMessage: 'aside' });
    expect(await launched.exited).toEqual({ code: 129, signal: undefined });
    expect((await launched.logged('Uncaught Exception')).message).toContain(
      '"errorType":"RangeError"',
    );
  });

  test('an unhandled rejection is reported, then the process exits with status 128', async () => {
    const launched = await node.ready(
      `exports.handler = async () => {
         Promise.reject(new Error('aside'));
         await new Promise((resolve) => setTimeout(resolve, 3_600_000));
       };`,
      { runtime },
    );
    const error = errorOf(await launched.invoke({}));
    expect(error).toMatchObject({ errorType: 'Runtime.UnhandledPromiseRejection', fatal: true });
    expect(error.body).toMatchObject({ errorMessage: 'Error: aside' });
    expect(await launched.exited).toEqual({ code: 128, signal: undefined });
    const { message } = await launched.logged('Unhandled Promise Rejection');
    expect(JSON.parse(message.slice(message.indexOf('{')))).toMatchObject({
      errorType: 'Runtime.UnhandledPromiseRejection',
      errorMessage: 'Error: aside',
      reason: { errorType: 'Error', errorMessage: 'aside' },
      stack: expect.any(Array),
    });
  });

  test('a large error is whole before the process exits', async () => {
    const launched = await node.ready(
      `exports.handler = () => new Promise(() => setImmediate(() => { throw new Error('x'.repeat(2_000_000)); }));`,
      { runtime },
    );
    const { body } = errorOf(await launched.invoke({}));
    expect(body['errorMessage']).toHaveLength(2_000_000);
  });
});

test('from nodejs24.x on a rejection on the side comes before the answer', async () => {
  const launched = await node.ready(
    "exports.handler = async () => { Promise.reject(new Error('aside')); return 1; };",
    { runtime: 'nodejs24.x' },
  );
  expect(errorOf(await launched.invoke({})).errorType).toBe('Runtime.UnhandledPromiseRejection');
});

test('up to nodejs22.x the answer comes before a rejection on the side', async () => {
  const launched = await node.ready(
    "exports.handler = async () => { Promise.reject(new Error('aside')); return 1; };",
  );
  expect(answerOf(await launched.invoke({}))).toBe(1);
  expect(await launched.exited).toEqual({ code: 128, signal: undefined });
});

test('an exception between events ends the process without an answer', async () => {
  const launched = await node.ready(
    `exports.handler = async () => { setTimeout(() => { throw new Error('later'); }, 1); return 1; };`,
  );
  expect(answerOf(await launched.invoke({}))).toBe(1);
  expect(await launched.exited).toEqual({ code: 129, signal: undefined });
  await expect(launched.invoke({})).rejects.toMatchObject({ protocolViolation: undefined });
});

test('client context that is not JSON is an error of the event', async () => {
  const launched = await node.ready('exports.handler = async () => 1;');
  const { body } = errorOf(await launched.invoke({}, { clientContext: '{' }));
  expect(body['errorMessage']).toMatch(/^Cannot parse ClientContext as json: SyntaxError/);
  expect(answerOf(await launched.invoke({}))).toBe(1);
});
