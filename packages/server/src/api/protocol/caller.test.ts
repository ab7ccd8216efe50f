import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { callerOf } from './caller.ts';

const defaults = { accountId: '000000000000', region: 'us-east-1' };

function signed(credential: string): { authorization: string } {
  return {
    authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host, Signature=abc`,
  };
}

describe('callerOf', () => {
  test('an access key id of twelve digits is the account', () => {
    const headers = signed('123456789012/20260101/eu-west-1/lambda/aws4_request');
    expect(callerOf(headers, '/', defaults)).toEqual({
      accountId: '123456789012',
      region: 'eu-west-1',
    });
  });

  test('any other access key id means the default account', () => {
    const headers = signed('AKIAIOSFODNN7EXAMPLE/20260101/eu-west-1/lambda/aws4_request');
    expect(callerOf(headers, '/', defaults)).toEqual({
      accountId: '000000000000',
      region: 'eu-west-1',
    });
  });

  test('a request without a signature means the defaults', () => {
    expect(callerOf({}, '/x?y=1', defaults)).toEqual(defaults);
  });

  test('reads a presigned URL', () => {
    const query = new URLSearchParams({
      'X-Amz-Credential': '123456789012/20260101/sa-east-1/lambda/aws4_request',
    });
    expect(callerOf({}, `/x?${query.toString()}`, defaults)).toEqual({
      accountId: '123456789012',
      region: 'sa-east-1',
    });
  });

  test('an asymmetric signature has no region in its scope', () => {
    const headers = signed('123456789012/20260101/lambda/aws4_request');
    expect(callerOf(headers, '/', defaults).region).toBe('us-east-1');
  });

  test('gives a well-formed account and region whatever is sent', () => {
    fc.assert(
      fc.property(fc.string(), (text) => {
        const caller = callerOf({ authorization: `Credential=${text}` }, '/', defaults);
        expect(caller.accountId).toMatch(/^\d{12}$/);
        expect(caller.region).toMatch(/^[a-z0-9-]{1,32}$/);
      }),
    );
  });
});
