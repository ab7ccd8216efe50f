import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { answerOf, errorOf } from '../../contract/answers.ts';
import { describePythons } from './python-under-test.ts';
import { PythonFunctions, textOf } from './serve-module.ts';

const IMPORTS = `
import collections, decimal, enum
D = decimal.Decimal
Point = collections.namedtuple("Point", "x y")
class Level(enum.IntEnum):
    HIGH = 3
`;
const CIRCLE = '(lambda items: (items.append(items), items)[1])([])';

describePythons((python) => {
  const functions = new PythonFunctions(python);
  const evaluate = (expression: string, runtime = python.runtime) =>
    functions.evaluate(expression, { imports: IMPORTS, init: { runtime } });

  describe('a result is written as AWS writes it', () => {
    test.each([
      ['None', 'null'],
      ['{"a": [1, 2.5, True, None, "x"], "b": ()}', '{"a": [1, 2.5, true, null, "x"], "b": []}'],
      ['{1: 2, None: 3, 1.5: 6, False: 0}', '{"1": 2, "null": 3, "1.5": 6, "false": 0}'],
      ['D("1.50")', '1.50'],
      ['{"price": D("1E+2"), "none": D("NaN")}', '{"price": 1E+2, "none": NaN}'],
      ['[float("nan"), float("inf"), -float("inf")]', '[NaN, Infinity, -Infinity]'],
      ['[D("1"), float("nan"), -float("inf"), 1e22]', '[1, NaN, -Infinity, 1e+22]'],
      ['Point(1, (2, 3))', '{"x": 1, "y": [2, 3]}'],
      ['collections.OrderedDict(a=Level.HIGH)', '{"a": 3}'],
      ['{"text": b"abc", b"key": 1}', '{"text": "abc", "key": 1}'],
      ['"line\\n\\u2028"', '"line\\n\\u2028"'],
      ['""', '""'],
    ])('%s', async (expression, expected) => {
      const result = await evaluate(expression);
      expect(result).toMatchObject({ contentType: 'application/json' });
      expect(textOf(result)).toBe(expected);
    });

    test.each([
      ['python3.9', '"\\u00e9\\ud83d\\ude00"'],
      ['python3.11', '"\\u00e9\\ud83d\\ude00"'],
      ['python3.12', '"é😀"'],
      ['python3.15', '"é😀"'],
    ])('%s decides whether what is not ASCII is escaped', async (runtime, expected) => {
      expect(textOf(await evaluate('"é😀"', runtime))).toBe(expected);
      expect(textOf(await evaluate('[D(1), "é😀"]', runtime))).toBe(`[1, ${expected}]`);
    });

    test('bytes are sent as they are', async () => {
      const result = await evaluate('b"\\x89PNG\\x00\\xff"');
      expect(result).toEqual({
        kind: 'response',
        contentType: 'application/unknown',
        payload: Buffer.from([0x89, 0x50, 0x4e, 0x47, 0, 0xff]),
      });
    });
  });

  test.each([
    ['object()', 'Object of type object is not JSON serializable'],
    ['[{1, 2}]', 'Object of type set is not JSON serializable'],
    ['{(1, 2): 3}', 'keys must be str, int, float, bool or None, not tuple'],
    [CIRCLE, 'Circular reference detected'],
    [`{"a": D(1), "b": ${CIRCLE}}`, 'Circular reference detected'],
    ['{"a": b"\\xff"}', "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"],
  ])('%s is a marshal error', async (expression, detail) => {
    const errorType = 'Runtime.MarshalError';
    expect(errorOf(await evaluate(expression)).body).toEqual({
      errorMessage: `Unable to marshal response: ${detail}`,
      errorType,
      requestId: '6bc28136-xmpl-4365-b021-0ce6b2e64ab0',
      stackTrace: [],
    });
  });

  test('half a surrogate pair is a marshal error where it would not be escaped', async () => {
    const result = await evaluate('"\\ud800"', 'python3.12');
    expect(errorOf(result).errorType).toBe('Runtime.MarshalError');
    expect(textOf(await evaluate('"\\ud800"', 'python3.11'))).toBe('"\\ud800"');
  });

  test('a coroutine function is not awaited', async () => {
    const launched = await functions.serve('async def handler(event, context):\n    return 1\n');
    expect(errorOf(await launched.invoke({})).body['errorMessage']).toBe(
      'Unable to marshal response: Object of type coroutine is not JSON serializable',
    );
  });

  test.each([
    ['', 'Expecting value: line 1 column 1 (char 0)'],
    ['not json', 'Expecting value: line 1 column 1 (char 0)'],
    ['{"a": 1} x', 'Extra data: line 1 column 10 (char 9)'],
    ['\xff', "'utf-8' codec can't decode byte 0xff in position 0: invalid start byte"],
  ])('the event %j is an unmarshal error', async (event, detail) => {
    const payload = Buffer.from(event, 'latin1');
    const result = await functions.evaluate('event', { overrides: { payload } });
    expect(errorOf(result).body).toMatchObject({
      errorType: 'Runtime.UnmarshalError',
      errorMessage: `Unable to unmarshal input: ${detail}`,
      stackTrace: [],
    });
  });

  test('an event nested without end is an unmarshal error, and the next event is taken', async () => {
    const launched = await functions.serve('def handler(event, context):\n    return event\n');
    const payload = Buffer.from('['.repeat(200_000) + ']'.repeat(200_000));
    expect(errorOf(await launched.invoke(null, { payload })).errorType).toBe(
      'Runtime.UnmarshalError',
    );
    expect(answerOf(await launched.invoke([1]))).toEqual([1]);
  });

  test('any JSON comes back as it was sent, plain and through the slow encoder', async () => {
    const source = `${IMPORTS}
def handler(event, context):
    return collections.OrderedDict(slow=event, also=D(1)) if context.client_context else event
`;
    const launched = await functions.serve(source);
    await fc.assert(
      fc.asyncProperty(fc.jsonValue(), async (value) => {
        const sent: unknown = JSON.parse(JSON.stringify(value));
        expect(answerOf(await launched.invoke(sent))).toEqual(sent);
        const slow = await launched.invoke(sent, { clientContext: '{}' });
        expect(answerOf(slow)).toEqual({ slow: sent, also: 1 });
      }),
      { numRuns: 100 },
    );
  });
});
