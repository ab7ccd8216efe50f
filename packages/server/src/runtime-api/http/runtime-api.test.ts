import { describe, expect, test } from 'vitest';
import { MAX_RESPONSE_BYTES } from '../../domain/limits.ts';
import type { RuntimeResult } from '../runtime-session.ts';
import {
  answerPath,
  event,
  INIT,
  INIT_ERROR_PATH,
  ListeningApi,
  NEXT_PATH,
} from './raw-runtime-fixture.ts';

const listening = (): Promise<ListeningApi> => ListeningApi.start({ runtime: 'http' });

function textOf(result: RuntimeResult): string {
  return result.kind === 'ready' ? '' : Buffer.from(result.payload).toString();
}

function stateTransition(from: string, to: string): string {
  return JSON.stringify({
    errorMessage: `State transition from ${from} to ${to} failed for runtime. Error: State transition is not allowed`,
    errorType: 'InvalidStateTransition',
  });
}

const INVALID_REQUEST_ID = '{"errorMessage":"Invalid request ID","errorType":"InvalidRequestID"}';

describe('init', () => {
  test('is ready when the runtime asks for its first event', async () => {
    await using served = await listening();
    await served.api.runtime.booted();
    const init = served.api.runtime.init(INIT);
    served.client().request('GET', NEXT_PATH);
    expect(await init).toEqual({ kind: 'ready' });
    await served.api.runtime.idle();
  });

  test('is ready at once where the runtime has already asked', async () => {
    await using served = await listening();
    served.client().request('GET', NEXT_PATH);
    await served.api.runtime.idle();
    expect(await served.api.runtime.init(INIT)).toEqual({ kind: 'ready' });
  });

  test('/init/error hands over the body verbatim and the type of the header', async () => {
    await using served = await listening();
    const client = served.client();
    const init = served.api.runtime.init(INIT);
    const answer = await client.call('POST', INIT_ERROR_PATH, '{ "errorMessage":"é" }', {
      'Lambda-Runtime-Function-Error-Type': 'Runtime.NoSuchModule',
    });
    expect([answer.status, answer.body]).toEqual([202, '{"status":"OK"}']);
    const result = await init;
    expect(result).toMatchObject({ kind: 'error', errorType: 'Runtime.NoSuchModule' });
    expect(textOf(result)).toBe('{ "errorMessage":"é" }');
    await expect(served.api.runtime.invoke(event('r'))).rejects.toThrow('in state InitError');
  });

  test('/init/error is told, too, where it comes before init is asked about', async () => {
    await using served = await listening();
    await served
      .client()
      .call('POST', INIT_ERROR_PATH, '{"errorType":"Runtime.ImportModuleError"}');
    expect(await served.api.runtime.init(INIT)).toMatchObject({
      kind: 'error',
      errorType: 'Runtime.ImportModuleError',
    });
  });

  test('/init/error that breaks off still ends init', async () => {
    await using served = await listening();
    const init = served.api.runtime.init(INIT);
    const client = served.client();
    client.send(`POST ${INIT_ERROR_PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n{`);
    client.socket.destroySoon();
    expect(await init).toMatchObject({ kind: 'error', errorType: 'Runtime.Unknown' });
  });

  test('/init/error that is too large ends init as an answer of that size ends an event', async () => {
    await using served = await listening();
    const body = Buffer.alloc(MAX_RESPONSE_BYTES + 1, 97);
    expect((await served.client().call('POST', INIT_ERROR_PATH, body)).status).toBe(413);
    expect(await served.api.runtime.init(INIT)).toMatchObject({
      errorType: 'Function.ResponseSizeTooLarge',
    });
  });

  test('E54 a second init error, an event after it and an init error while ready are refused', async () => {
    await using served = await listening();
    const client = served.client();
    await client.call('POST', INIT_ERROR_PATH, '{}');
    const second = await client.call('POST', INIT_ERROR_PATH, '{}');
    expect([second.status, second.body]).toEqual([403, stateTransition('InitError', 'InitError')]);
    const next = await client.call('GET', NEXT_PATH);
    expect([next.status, next.body]).toEqual([403, stateTransition('InitError', 'Ready')]);

    await using other = await listening();
    await other.readyClient();
    const late = await other.client().call('POST', INIT_ERROR_PATH, '{}');
    expect([late.status, late.body]).toEqual([403, stateTransition('Ready', 'InitError')]);
    await expect(other.api.runtime.init(INIT)).rejects.toThrow('twice');
  });
});

describe('next', () => {
  test('carries every header that the event has a value for', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    void served.api.runtime
      .invoke(
        event('r1', {
          traceId: 'Root=1-2-3',
          clientContext: '{"custom":\n{"k":"é"}}',
          cognitoIdentity: '{"cognitoIdentityId":"i"}',
          tenantId: 'blue',
          payload: Buffer.from('{"a":1}'),
        }),
      )
      .catch(() => {});
    const { status, headers, body } = await client.response();
    expect([status, body]).toEqual([200, '{"a":1}']);
    expect(headers).toMatchObject({
      'content-type': 'application/json',
      'lambda-runtime-aws-request-id': 'r1',
      'lambda-runtime-deadline-ms': '1700000000000',
      'lambda-runtime-invoked-function-arn': 'arn:aws:lambda:us-east-1:123456789012:function:f',
      'lambda-runtime-trace-id': 'Root=1-2-3',
      'lambda-runtime-client-context': '{"custom": {"k":"é"}}',
      'lambda-runtime-cognito-identity': '{"cognitoIdentityId":"i"}',
      'lambda-runtime-aws-tenant-id': 'blue',
    });
    expect(headers['lambda-runtime-invocation-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  test('leaves out the headers that have none', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    void served.api.runtime.invoke(event('r1', { traceId: '' })).catch(() => {});
    const { headers } = await client.response();
    expect(Object.keys(headers).filter((name) => name.startsWith('lambda-'))).toEqual([
      'lambda-runtime-aws-request-id',
      'lambda-runtime-deadline-ms',
      'lambda-runtime-invoked-function-arn',
      'lambda-runtime-invocation-id',
    ]);
  });

  test('the same request id gets a new invocation id on each attempt', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const ids = new Set<string | undefined>();
    for (let attempt = 0; attempt < 3; attempt += 1) {
      const call = served.api.runtime.invoke(event('r1'));
      ids.add((await client.response()).headers['lambda-runtime-invocation-id']);
      await client.call('POST', answerPath('r1'), '1');
      await call;
      client.request('GET', NEXT_PATH);
      await served.api.runtime.idle();
    }
    expect(ids.size).toBe(3);
  });

  test('E53 two parallel calls get one event each', async () => {
    await using served = await listening();
    const first = await served.readyClient();
    const second = served.client();
    await second.pollAfterPing();
    const call = served.api.runtime.invoke(event('r1'));
    expect((await first.response()).headers['lambda-runtime-aws-request-id']).toBe('r1');
    await first.call('POST', answerPath('r1'), '1');
    expect(textOf(await call)).toBe('1');
    await served.api.runtime.idle();
    const another = served.api.runtime.invoke(event('r2'));
    expect((await second.response()).headers['lambda-runtime-aws-request-id']).toBe('r2');
    await second.call('POST', answerPath('r2'), '2');
    expect(textOf(await another)).toBe('2');
  });

  test('E53 a call while an event is under way waits for the next event', async () => {
    await using served = await listening();
    const first = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await first.response();
    const second = served.client();
    await second.pollAfterPing();
    await first.call('POST', answerPath('r1'), '1');
    await call;
    await served.api.runtime.idle();
    void served.api.runtime.invoke(event('r2')).catch(() => {});
    expect((await second.response()).headers['lambda-runtime-aws-request-id']).toBe('r2');
  });

  test('an event goes to none whose connection has ended', async () => {
    await using served = await listening();
    const gone = await served.readyClient();
    gone.socket.end();
    await gone.ended();
    const call = served.api.runtime.invoke(event('r1'));
    const client = served.client();
    client.request('GET', NEXT_PATH);
    expect((await client.response()).headers['lambda-runtime-aws-request-id']).toBe('r1');
    await client.call('POST', answerPath('r1'), '"ok"');
    expect(textOf(await call)).toBe('"ok"');
  });

  test('an event that its connection did not take is delivered again, under a new invocation id', async () => {
    await using served = await listening();
    const gone = await served.readyClient();
    gone.socket.pause();
    const payload = Buffer.alloc(6 * 1024 * 1024, '1');
    const call = served.api.runtime.invoke(event('r1', { payload }));
    // The event fills the connection's buffers before the connection breaks.
    expect((await served.client().call('GET', '/ping')).body).toBe('pong');
    gone.socket.resetAndDestroy();
    const client = served.client();
    client.request('GET', NEXT_PATH);
    const { headers, body } = await client.response();
    expect([headers['lambda-runtime-aws-request-id'], body.length]).toEqual(['r1', payload.length]);
    await client.call('POST', answerPath('r1'), '"ok"');
    expect(textOf(await call)).toBe('"ok"');
  });
});

describe('response', () => {
  test('is passed on with its content type, whatever the bytes', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    const { headers } = await client.response();
    const bytes = Buffer.from([0, 255, 13, 10, 0]);
    const answer = await client.call('POST', answerPath('r1'), bytes, {
      'Content-Type': 'image/png',
      'Lambda-Runtime-Invocation-Id': headers['lambda-runtime-invocation-id'] ?? '',
    });
    expect([answer.status, answer.body]).toEqual([202, '{"status":"OK"}']);
    expect(await call).toEqual({ kind: 'response', payload: bytes, contentType: 'image/png' });
  });

  test('is JSON where it names no content type, and may be empty', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    await client.call('POST', answerPath('r1'));
    expect(await call).toMatchObject({ contentType: 'application/json' });
    expect(textOf(await call)).toBe('');
  });

  test('idle settles when the runtime asks for an event again, not before', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    await client.call('POST', answerPath('r1'), '1');
    await call;
    let idle = false;
    const waiting = served.api.runtime.idle().then(() => {
      idle = true;
    });
    await client.call('GET', '/ping');
    expect(idle).toBe(false);
    client.request('GET', NEXT_PATH);
    await waiting;
  });

  test('of the greatest size allowed passes', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    const answer = await client.call(
      'POST',
      answerPath('r1'),
      Buffer.alloc(MAX_RESPONSE_BYTES, 97),
    );
    expect(answer.status).toBe(202);
    const result = await call;
    expect(result.kind === 'response' && result.payload.length).toBe(6_291_556);
  });

  test('one byte larger is refused, and the runtime goes on', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    for (const requestId of ['r1', 'r2']) {
      const call = served.api.runtime.invoke(event(requestId));
      await client.response();
      const answer = await client.call(
        'POST',
        answerPath(requestId),
        Buffer.alloc(MAX_RESPONSE_BYTES + 1, 97),
      );
      expect([answer.status, answer.body]).toEqual([
        413,
        '{"errorMessage":"Exceeded maximum allowed payload size (6291556 bytes).","errorType":"RequestEntityTooLarge"}',
      ]);
      const result = await call;
      expect(result).toMatchObject({ errorType: 'Function.ResponseSizeTooLarge' });
      expect(textOf(result)).toBe(
        '{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}',
      );
      client.request('GET', NEXT_PATH);
      await served.api.runtime.idle();
    }
  });

  test('in an unknown mode fails the call', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    const answer = await client.call('POST', answerPath('r1'), '1', {
      'Lambda-Runtime-Function-Response-Mode': 'Streaming?',
    });
    expect([answer.status, answer.body]).toEqual([
      400,
      '{"errorMessage":"Invalid function response mode","errorType":"InvalidFunctionResponseMode"}',
    ]);
    expect(await call).toMatchObject({ errorType: 'Runtime.InvalidResponseModeHeader' });
  });

  test('that breaks off is told to the runtime and fails the call', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    client.send(`POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\n"abc`);
    client.socket.end();
    const answer = await client.response();
    expect([answer.status, answer.body]).toEqual([
      400,
      '{"errorMessage":"HTTP request detected as truncated","errorType":"TruncatedHTTPRequest"}',
    ]);
    expect(await call).toMatchObject({ kind: 'error', errorType: 'Runtime.TruncatedResponse' });
    const other = served.client();
    other.request('GET', NEXT_PATH);
    await served.api.runtime.idle();
  });

  test.each([
    ['a chunk size that is none', 'Transfer-Encoding: chunked\r\n\r\nzz\r\n'],
    ['a bare line feed', 'Transfer-Encoding: chunked\r\n\r\n1\na\n'],
  ])('with %s fails the call', async (_name, rest) => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    client.send(`POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\n${rest}`);
    expect((await client.response()).status).toBe(400);
    expect(await call).toMatchObject({ errorType: 'Runtime.TruncatedResponse' });
  });

  test('with two lengths, or a length and chunks, is not taken for a response', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    for (const headers of [
      'Content-Length: 1\r\nContent-Length: 2\r\n',
      'Content-Length: 1\r\nTransfer-Encoding: chunked\r\n',
    ]) {
      const smuggler = served.client();
      smuggler.send(`POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\n${headers}\r\n1`);
      expect((await smuggler.response()).status).toBe(400);
      await smuggler.ended();
    }
    await client.call('POST', answerPath('r1'), '"true"');
    expect(textOf(await call)).toBe('"true"');
  });
});

describe('a streamed response', () => {
  const HEAD = [
    `POST ${answerPath('r1')} HTTP/1.1`,
    'Host: h',
    'Lambda-Runtime-Function-Response-Mode: streaming',
    'Content-Type: text/html',
    'Transfer-Encoding: chunked',
    'Trailer: Lambda-Runtime-Function-Error-Type, Lambda-Runtime-Function-Error-Body',
    '\r\n',
  ].join('\r\n');

  test('is joined', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    client.send(HEAD);
    client.send('3\r\n<p>\r\n');
    client.send('4\r\n</p>\r\n0\r\n\r\n');
    expect((await client.response()).status).toBe(202);
    expect(await call).toMatchObject({ kind: 'response', contentType: 'text/html' });
    expect(textOf(await call)).toBe('<p></p>');
  });

  test('fails with the error in its trailers', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    const error = '{"errorMessage":"midway","errorType":"Boom"}';
    client.send(
      `${HEAD}3\r\n<p>\r\n0\r\nLambda-Runtime-Function-Error-Type: Runtime.Midway\r\nLambda-Runtime-Function-Error-Body: ${Buffer.from(error).toString('base64')}\r\n\r\n`,
    );
    expect((await client.response()).status).toBe(202);
    expect(await call).toMatchObject({ kind: 'error', errorType: 'Runtime.Midway' });
    expect(textOf(await call)).toBe(error);
  });

  test('leaves no room for an error, a second response or the next event while it runs', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    client.send(`${HEAD}3\r\n"ab\r\n`);
    const other = served.client();
    // Requests of two connections come in any order: wait until the response has begun.
    let refused = await other.call('POST', answerPath('r1', 'error'), '{}', {
      'Lambda-Runtime-Invocation-Id': 'forged',
    });
    expect(refused.status).toBe(400);
    refused = await other.call('POST', answerPath('r1', 'error'), '{}');
    expect([refused.status, refused.body]).toEqual([
      403,
      stateTransition('InvocationResponse', 'InvocationErrorResponse'),
    ]);
    refused = await other.call('POST', answerPath('r1'), '2');
    expect(refused.body).toBe(stateTransition('InvocationResponse', 'InvocationResponse'));
    refused = await other.call('GET', NEXT_PATH);
    expect(refused.body).toBe(stateTransition('InvocationResponse', 'Ready'));
    client.send('2\r\nc"\r\n0\r\n\r\n');
    expect(textOf(await call)).toBe('"abc"');
  });
});

describe('error', () => {
  test('hands over the body verbatim', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    const body = '{"errorMessage":"x", "errorType":"ValueError","extra":1}';
    const answer = await client.call('POST', answerPath('r1', 'error'), body, {
      'Lambda-Runtime-Function-Error-Type': 'ValueError',
      'Lambda-Runtime-Function-XRay-Error-Cause': JSON.stringify({ paths: 'p'.repeat(900_000) }),
    });
    expect([answer.status, answer.body]).toEqual([202, '{"status":"OK"}']);
    expect(await call).toMatchObject({ kind: 'error', errorType: 'Runtime.Unknown' });
    expect(textOf(await call)).toBe(body);
  });

  test('with a cause is handed over without it', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    await client.call(
      'POST',
      answerPath('r1', 'error'),
      '{"errorMessage":"x","errorType":"E","causes":[1],"errorCause":{}}',
      { 'Content-Type': 'application/vnd.aws.lambda.error.cause+json' },
    );
    expect(textOf(await call)).toBe('{"errorMessage":"x","errorType":"E"}');
  });
});

describe('answers that do not belong to the event', () => {
  test('E50 a forged, foreign or replayed request id is refused', async () => {
    await using served = await listening();
    const client = served.client();
    const early = await client.call('POST', answerPath('r1'), '"early"');
    expect([early.status, early.body]).toEqual([400, INVALID_REQUEST_ID]);
    const runtime = await served.readyClient();
    const idle = await client.call('POST', answerPath('r1'), '"idle"');
    expect([idle.status, idle.body]).toEqual([400, INVALID_REQUEST_ID]);
    const call = served.api.runtime.invoke(event('r1'));
    await runtime.response();
    for (const id of ['r2', 'R1', 'r1%20', '%72%31', '..', 'r1?x']) {
      const forged = await client.call('POST', answerPath(id), '"forged"');
      expect([400, 404]).toContain(forged.status);
    }
    await runtime.call('POST', answerPath('r1'), '"true"');
    expect(textOf(await call)).toBe('"true"');
  });

  test('E51 a second answer is refused', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    await client.call('POST', answerPath('r1'), '1');
    for (const kind of ['response', 'error'] as const) {
      const second = await client.call('POST', answerPath('r1', kind), '2');
      expect([second.status, second.body]).toEqual([400, INVALID_REQUEST_ID]);
    }
    expect(textOf(await call)).toBe('1');
  });

  test('E52 a late answer never joins the next event', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const first = served.api.runtime.invoke(event('r1'));
    await client.response();
    await client.call('POST', answerPath('r1'), '1');
    await first;
    client.request('GET', NEXT_PATH);
    await served.api.runtime.idle();
    const second = served.api.runtime.invoke(event('r2'));
    await client.response();
    const late = await client.call('POST', answerPath('r1'), '"late"');
    expect([late.status, late.body]).toEqual([400, INVALID_REQUEST_ID]);
    await client.call('POST', answerPath('r2'), '2');
    expect(textOf(await second)).toBe('2');
  });

  test('E52 a late answer to an earlier attempt of the same request is refused', async () => {
    await using served = await listening();
    const client = await served.readyClient();
    const first = served.api.runtime.invoke(event('r1'));
    const { headers } = await client.response();
    const echo = { 'Lambda-Runtime-Invocation-Id': headers['lambda-runtime-invocation-id'] ?? '' };
    await client.call('POST', answerPath('r1'), '1', echo);
    await first;
    client.request('GET', NEXT_PATH);
    await served.api.runtime.idle();
    const second = served.api.runtime.invoke(event('r1'));
    await client.response();
    const late = await client.call('POST', answerPath('r1'), '"late"', echo);
    expect([late.status, JSON.parse(late.body)]).toMatchObject([
      400,
      { errorType: 'InvalidInvocationId' },
    ]);
    await client.call('POST', answerPath('r1', 'error'), '{}');
    expect(await second).toMatchObject({ kind: 'error' });
  });
});
