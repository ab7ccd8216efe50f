import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { functionArn } from './function.ts';
import { parseFunctionName } from './function-name.ts';

const word = fc.stringMatching(/^[a-zA-Z0-9-_]{1,64}$/);
const accountId = fc.stringMatching(/^\d{12}$/);
const region = fc.constantFrom(
  'us-east-1',
  'eu-west-3',
  'us-gov-west-1',
  'us-iso-east-1',
  'eusc-de-east-1',
);

describe('parseFunctionName', () => {
  test('reads back every ARN, with and without a qualifier', () => {
    const name = word.filter((text) => !/^\d{12}$/.test(text) && text !== 'function');
    fc.assert(
      fc.property(
        name,
        accountId,
        region,
        fc.option(word),
        (functionName, account, where, qualifier) => {
          const identity = { functionName, accountId: account, region: where };
          const text = functionArn(identity) + (qualifier === null ? '' : `:${qualifier}`);
          expect(parseFunctionName(text)).toEqual({
            ...identity,
            ...(qualifier !== null && { qualifier }),
          });
        },
      ),
    );
  });

  test.each([
    ['fn', { functionName: 'fn' }],
    ['fn:$LATEST', { functionName: 'fn', qualifier: '$LATEST' }],
    ['fn:1', { functionName: 'fn', qualifier: '1' }],
    ['function:fn', { functionName: 'fn' }],
    [
      '123456789012:function:fn:live',
      { functionName: 'fn', accountId: '123456789012', qualifier: 'live' },
    ],
    ['123456789012:fn', { functionName: 'fn', accountId: '123456789012' }],
  ])('%s is a name', (text, expected) => {
    expect(parseFunctionName(text)).toEqual(expected);
  });

  test.each([
    '',
    'a;$(id)',
    '../x',
    'fn:',
    'fn:a:b:c',
    'fn\n',
    'arn:aws:lambda:fn',
    'arn:aws:s3:::bucket',
    'arn:aws:lambda:us-east-1:12:function:fn',
    'a'.repeat(257),
  ])('%j is none', (text) => {
    expect(parseFunctionName(text)).toBeUndefined();
  });

  test('gives a name of plain letters whatever the text', () => {
    const property = fc.property(fc.string({ maxLength: 2_000 }), (text) => {
      const parsed = parseFunctionName(text);
      return parsed === undefined || /^[a-zA-Z0-9-_.]+$/.test(parsed.functionName);
    });
    expect(() => fc.assert(property)).not.toThrow();
  });
});
