import { describe, expect, test } from 'vitest';
import { answerOf, errorOf } from '../../contract/answers.ts';
import { NodeRuntime } from './node-runtime.ts';

const node = NodeRuntime.forThisFile();
const BOTH = ['nodejs22.x', 'nodejs24.x'];

describe.each(BOTH)('results on %s', (runtime) => {
  test.each([
    ['a value', 'async () => ({ a: [1] })', { a: [1] }],
    ['undefined as null', 'async () => undefined', null],
    ['a function as null', 'async () => () => 1', null],
    ['a promise of a plain function', '() => Promise.resolve(1)', 1],
    ['a thenable', '() => ({ then: (resolve) => resolve(1) })', 1],
    ['what toJSON says', 'async () => new Date(0)', '1970-01-01T00:00:00.000Z'],
  ])('%s is answered', async (_, handler, answer) => {
    const launched = await node.ready(`exports.handler = ${handler};`, { runtime });
    expect(answerOf(await launched.invoke({}))).toEqual(answer);
  });

  test('the event loop is not waited for', async () => {
    const launched = await node.ready(
      'exports.handler = async () => { setTimeout(() => {}, 3_600_000); return 1; };',
      { runtime },
    );
    expect(answerOf(await launched.invoke({}))).toBe(1);
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('what is left over goes on in the next event', async () => {
    const launched = await node.ready(
      `let late;
       exports.handler = async ({ wait }) => {
         if (wait) return late;
         late = new Promise((resolve) => setTimeout(resolve, 1, 'late'));
       };`,
      { runtime },
    );
    expect(answerOf(await launched.invoke({}))).toBeNull();
    expect(answerOf(await launched.invoke({ wait: true }))).toBe('late');
  });

  test('an async handler that never settles is a NodeJsExit, and the next event is taken', async () => {
    const launched = await node.ready(
      'exports.handler = async ({ stuck }) => stuck ? new Promise(() => {}) : 1;',
      { runtime },
    );
    const error = errorOf(await launched.invoke({ stuck: true }));
    expect(error).toMatchObject({ errorType: 'Runtime.NodeJsExit', fatal: false });
    expect(error.body['errorMessage']).toMatch(/https:\/\/nodejs\.org\/.*exit-codes$/);
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('an event that is not JSON is an error of the event', async () => {
    const launched = await node.ready('exports.handler = async () => 1;', { runtime });
    const result = await launched.invoke({}, { payload: Buffer.from('{') });
    expect(errorOf(result).errorType).toBe('SyntaxError');
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });
});

test.each([
  ['nodejs22.x', 'Error'],
  ['nodejs24.x', 'Runtime.JSONStringifyError'],
])('on %s a result that cannot be JSON is an %s', async (runtime, errorType) => {
  const launched = await node.ready('exports.handler = async () => 1n;', { runtime });
  const { body } = errorOf(await launched.invoke({}));
  expect(body).toMatchObject({ errorType, errorMessage: 'Unable to stringify response body' });
});

describe('callbacks and plain functions up to nodejs22.x', () => {
  test('a plain return value is ignored and null is answered', async () => {
    const launched = await node.ready('exports.handler = () => 5;');
    expect(answerOf(await launched.invoke({}))).toBeNull();
  });

  test('a plain function whose promise never settles answers null', async () => {
    const launched = await node.ready('exports.handler = () => new Promise(() => {});');
    expect(answerOf(await launched.invoke({}))).toBeNull();
  });

  test('a callback waits for an empty event loop', async () => {
    const launched = await node.ready(
      `exports.handler = (event, context, callback) => {
         setTimeout(() => console.log('after the callback'), 20);
         callback(null, 1);
       };`,
    );
    const answer = answerOf(await launched.invoke({}));
    expect(answer).toBe(1);
    await launched.logged('after the callback');
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('a callback is answered at once where callbackWaitsForEmptyEventLoop is false', async () => {
    const launched = await node.ready(
      `exports.handler = (event, context, callback) => {
         context.callbackWaitsForEmptyEventLoop = false;
         setTimeout(() => {}, 3_600_000);
         callback(null, 1);
       };`,
    );
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('an error given to the callback is answered at once', async () => {
    const launched = await node.ready(
      `exports.handler = (event, context, callback) => {
         setTimeout(() => {}, 3_600_000);
         callback(new RangeError('no'));
       };`,
    );
    expect(errorOf(await launched.invoke({})).body).toMatchObject({
      errorType: 'RangeError',
      errorMessage: 'no',
    });
  });

  test('the first callback wins', async () => {
    const launched = await node.ready(
      `exports.handler = (event, context, callback) => {
         callback(null, 1);
         callback(null, 2);
         context.fail('late');
       };`,
    );
    expect(answerOf(await launched.invoke({}))).toBe(1);
    expect(answerOf(await launched.invoke({}))).toBe(1);
  });

  test('a callback of an earlier event is ignored', async () => {
    const launched = await node.ready(
      `let earlier;
       exports.handler = (event, context, callback) => {
         if (event.first) earlier = callback;
         else { earlier(null, 'wrong'); callback(null, 'right'); }
       };`,
    );
    expect(answerOf(await launched.invoke({ first: true }))).toBeNull();
    expect(answerOf(await launched.invoke({}))).toBe('right');
  });

  test.each([
    ['context.succeed({ a: 1 })', { a: 1 }],
    ["context.done(null, 'x')", 'x'],
    ['context.succeed()', null],
  ])('%s is answered at once', async (call, answer) => {
    const launched = await node.ready(
      `exports.handler = (event, context) => { setTimeout(() => {}, 3_600_000); ${call}; };`,
    );
    expect(answerOf(await launched.invoke({}))).toEqual(answer);
  });

  test.each([
    ["context.fail(new TypeError('x'))", 'TypeError', 'x'],
    ["context.done('text')", 'string', 'text'],
    ['context.fail(null)', 'string', 'handled'],
    ['context.fail()', 'string', 'handled'],
  ])('%s fails at once', async (call, errorType, errorMessage) => {
    const launched = await node.ready(`exports.handler = (event, context) => { ${call}; };`);
    const { body } = errorOf(await launched.invoke({}));
    expect(body).toMatchObject({ errorType, errorMessage });
  });

  test('a callback result that cannot be JSON is an error', async () => {
    const launched = await node.ready(
      'exports.handler = (event, context, callback) => callback(null, 1n);',
    );
    expect(errorOf(await launched.invoke({})).body['errorMessage']).toBe(
      'Unable to stringify response body',
    );
  });
});

describe('plain functions from nodejs24.x on', () => {
  test('a plain return value is the result', async () => {
    const launched = await node.ready('exports.handler = () => 5;', { runtime: 'nodejs24.x' });
    expect(answerOf(await launched.invoke({}))).toBe(5);
  });

  test('the context has no callback methods', async () => {
    const launched = await node.ready(
      `exports.handler = (event, context) =>
         ['succeed', 'fail', 'done', 'callbackWaitsForEmptyEventLoop'].filter((key) => key in context);`,
      { runtime: 'nodejs24.x' },
    );
    expect(answerOf(await launched.invoke({}))).toEqual([]);
  });
});
