import { createHash, createHmac } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import {
  type ReceivedRequest,
  callHearth,
  runHearth,
  sendJson,
  startStandInApi,
} from './cli-harness.ts';

/** AWS Signature Version 4, written down a second time from its description. */
function expectedSignature(request: ReceivedRequest, secret: string): string {
  const [, scope = '', signedNames = ''] =
    /Credential=[^/]+\/([^,]+), SignedHeaders=([^,]+)/.exec(request.headers.authorization ?? '') ??
    [];
  const [path = '', query = ''] = request.target.split('?');
  const canonicalQuery = [...new URLSearchParams(query)]
    .map(([name, value]) => `${encode(name)}=${encode(value)}`)
    .sort()
    .join('&');
  const headers = signedNames
    .split(';')
    .map((name) => `${name}:${String(request.headers[name]).trim()}\n`)
    .join('');
  const payloadHash = createHash('sha256').update(request.body).digest('hex');
  const canonical = [
    request.method,
    path.split('/').map(encode).join('/'),
    canonicalQuery,
    headers,
    signedNames,
    payloadHash,
  ].join('\n');
  const date = String(request.headers['x-amz-date']);
  const hash = createHash('sha256').update(canonical).digest('hex');
  const toSign = ['AWS4-HMAC-SHA256', date, scope, hash].join('\n');
  const key = scope
    .split('/')
    .reduce<string | Buffer>(
      (previous, part) => createHmac('sha256', previous).update(part).digest(),
      `AWS4${secret}`,
    );
  return createHmac('sha256', key).update(toSign).digest('hex');
}

function encode(value: string): string {
  return encodeURIComponent(value).replaceAll(
    /[!'()*]/g,
    (c) => `%${c.charCodeAt(0).toString(16)}`,
  );
}

describe('requests', () => {
  test.each(['hello', 'arn:aws:lambda:us-east-1:000000000000:function:hello:1', 'a b/ü'])(
    'for %j are signed with SigV4',
    async (name) => {
      const standIn = await startStandInApi((_request, response) => sendJson(response, 200, {}));
      await callHearth(standIn, ['functions', 'get', name, '--region', 'eu-central-1'], {
        environment: { AWS_ACCESS_KEY_ID: '123456789012', AWS_SECRET_ACCESS_KEY: 'very secret' },
      });
      const [request] = standIn.requests;
      const authorization = request?.headers.authorization ?? '';
      expect(authorization).toMatch(
        /^AWS4-HMAC-SHA256 Credential=123456789012\/\d{8}\/eu-central-1\/lambda\/aws4_request, /,
      );
      expect(request).toBeDefined();
      const signature = request && expectedSignature(request, 'very secret');
      expect(authorization).toContain(`Signature=${signature}`);
    },
  );

  test('have the default account and region where nothing is named', async () => {
    const standIn = await startStandInApi((_request, response) => sendJson(response, 200, {}));
    await callHearth(standIn, ['functions', 'list']);
    expect(standIn.requests[0]?.headers.authorization).toMatch(
      /Credential=000000000000\/\d{8}\/us-east-1\/lambda/,
    );
  });

  test('go where --endpoint says rather than the environment', async () => {
    const standIn = await startStandInApi((_request, response) => sendJson(response, 200, {}));
    const { exitCode } = await runHearth(['functions', 'list', '--endpoint', standIn.endpoint], {
      environment: { HEARTH_ENDPOINT: 'http://127.0.0.1:1', AWS_ENDPOINT_URL: 'x' },
    });
    expect([exitCode, standIn.requests.length]).toEqual([0, 1]);
  });
});
