import { InvokeCommand, type InvokeCommandOutput } from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, startApi, type ApiFixture } from './lambda-api-fixture.ts';
import { ServiceError } from '../domain/service-error.ts';

const ARN = 'arn:aws:lambda:us-east-1:000000000000:function:hello';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/;

let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
  await api.createActive();
});

afterEach(() => api[Symbol.asyncDispose]());

const invoke = (input: object = {}): Promise<InvokeCommandOutput> =>
  api.client().send(new InvokeCommand({ FunctionName: 'hello', ...input }));

const post = (path: string, init: RequestInit = {}): Promise<Response> =>
  fetch(api.url + path, { method: 'POST', ...init });

const PATH = '/2015-03-31/functions/hello/invocations';

describe('Invoke', () => {
  test('hands over the payload and answers with the result as it came', async () => {
    api.invoker.answer = () => ({ payload: Buffer.from('{ "b" : 2 }') });
    const answer = await invoke({ Payload: '{ "a" : 1 }' });
    expect(answer.StatusCode).toBe(200);
    expect(answer.ExecutedVersion).toBe('$LATEST');
    expect(answer.FunctionError).toBeUndefined();
    expect(answer.Payload?.transformToString()).toBe('{ "b" : 2 }');
    const { invocation, version } = api.invoker.calls[0] ?? {};
    expect(Buffer.from(invocation?.payload ?? []).toString()).toBe('{ "a" : 1 }');
    expect(version?.functionName).toBe('hello');
  });

  test('the answer and the function have the same request id', async () => {
    const { $metadata } = await invoke();
    expect($metadata.requestId).toMatch(UUID);
    expect(api.invoker.calls[0]?.invocation.requestId).toBe($metadata.requestId);
  });

  test('an empty body is the event {}', async () => {
    await invoke();
    expect(Buffer.from(api.invoker.calls[0]?.invocation.payload ?? []).toString()).toBe('{}');
  });

  test("a function's error is 200 with X-Amz-Function-Error", async () => {
    api.invoker.answer = () => ({
      kind: 'function-error',
      payload: Buffer.from('{"errorType":"E"}'),
    });
    const answer = await invoke();
    expect(answer).toMatchObject({ StatusCode: 200, FunctionError: 'Unhandled' });
  });

  test('LogType Tail gives the end of the log in base64', async () => {
    api.invoker.answer = ({ wantsLogTail }) =>
      wantsLogTail === true ? { logTail: Buffer.from('START\nEND\n') } : {};
    expect((await invoke({ LogType: 'Tail' })).LogResult).toBe(
      Buffer.from('START\nEND\n').toString('base64'),
    );
    expect((await invoke({ LogType: 'None' })).LogResult).toBeUndefined();
  });

  test('DryRun answers 204 and runs nothing', async () => {
    const answer = await invoke({ InvocationType: 'DryRun' });
    expect(answer.StatusCode).toBe(204);
    expect(api.invoker.calls).toEqual([]);
    const unknown = invoke({ InvocationType: 'DryRun', FunctionName: 'nobody' });
    expect(await failureOf(unknown)).toMatchObject({ status: 404 });
  });

  test('Event is refused by name as it is not built', async () => {
    expect(await failureOf(invoke({ InvocationType: 'Event' }))).toEqual({
      name: 'NotImplementedException',
      status: 501,
      message:
        'Cannot invoke with InvocationType Event as asynchronous invocation is not built yet: use RequestResponse',
    });
  });

  test.each([
    ['hello', undefined, ARN],
    ['hello:$LATEST', undefined, `${ARN}:$LATEST`],
    ['hello', '$LATEST', `${ARN}:$LATEST`],
    ['000000000000:function:hello', undefined, ARN],
    [ARN, undefined, ARN],
    [`${ARN}:$LATEST`, '$LATEST', `${ARN}:$LATEST`],
  ])('%s with qualifier %s runs as %s', async (FunctionName, Qualifier, arn) => {
    await invoke({ FunctionName, Qualifier });
    expect(api.invoker.calls[0]?.invocation.invokedFunctionArn).toBe(arn);
  });

  test('an ARN may stand in the path unencoded', async () => {
    const answer = await post(`/2015-03-31/functions/${ARN}/invocations`);
    expect(answer.status).toBe(200);
  });

  test.each<[string, object, string, number, string]>([
    [
      'an unknown function',
      { FunctionName: 'nobody' },
      'ResourceNotFoundException',
      404,
      `Function not found: ${ARN.replace('hello', 'nobody')}`,
    ],
    [
      'an unknown version',
      { Qualifier: '7' },
      'ResourceNotFoundException',
      404,
      `Function not found: ${ARN}:7`,
    ],
    [
      'an unknown alias',
      { FunctionName: 'hello:live' },
      'ResourceNotFoundException',
      404,
      `Function not found: ${ARN}:live`,
    ],
    [
      'qualifiers that differ',
      { FunctionName: 'hello:1', Qualifier: '2' },
      'InvalidParameterValueException',
      400,
      'The derived qualifier from the function name does not match the specified qualifier.',
    ],
    [
      'another region',
      { FunctionName: ARN.replace('us-east-1', 'eu-west-1') },
      'ResourceNotFoundException',
      404,
      "Functions from 'eu-west-1' are not reachable in this region ('us-east-1')",
    ],
    [
      'an unknown type',
      { InvocationType: 'Later' },
      'ValidationException',
      400,
      "1 validation error detected: Value 'Later' at 'invocationType' failed to satisfy constraint: Member must satisfy enum value set: [Event, RequestResponse, DryRun]",
    ],
    [
      'two mistakes',
      { InvocationType: 'Later', Qualifier: 'a b' },
      'ValidationException',
      400,
      "2 validation errors detected: Value 'Later' at 'invocationType'",
    ],
    [
      'a client context that is no JSON',
      { ClientContext: 'AAAA' },
      'InvalidRequestContentException',
      400,
      'Client context must be a valid Base64-encoded JSON object.',
    ],
    [
      'a client context of 3,584 bytes',
      { ClientContext: 'A'.repeat(3_584) },
      'InvalidRequestContentException',
      400,
      'Client context must be at most 3583 bytes in base64: received 3584',
    ],
    [
      'a tenant',
      { TenantId: 't' },
      'InvalidParameterValueException',
      400,
      'Cannot invoke with the header x-amz-tenant-id as this server does not support it yet: leave it out',
    ],
  ])('refuses %s', async (_case, input, name, status, message) => {
    const failure = await failureOf(invoke(input));
    expect(failure).toMatchObject({ name, status });
    expect(failure.message.startsWith(message)).toBe(true);
    expect(api.invoker.calls).toEqual([]);
  });

  test("another account's function is denied", async () => {
    const failure = await failureOf(invoke({ FunctionName: ARN.replace('0000', '1234') }));
    expect(failure).toMatchObject({ name: 'AccessDeniedException', status: 403 });
    expect(failure.message).toContain(
      'is not authorized to perform: lambda:InvokeFunction on resource: arn:',
    );
  });

  test('hands over the client context as JSON text', async () => {
    const context = JSON.stringify({ custom: { a: '1' } });
    await invoke({ ClientContext: Buffer.from(context).toString('base64') });
    expect(api.invoker.calls[0]?.invocation.clientContext).toBe(context);
  });

  test('a payload that is no JSON is refused in AWS words', async () => {
    const answer = await post(PATH, { body: '{"a":' });
    expect(answer.status).toBe(400);
    expect(answer.headers.get('x-amzn-errortype')).toBe('InvalidRequestContentException');
    expect(await answer.json()).toEqual({
      Type: 'User',
      message:
        'Could not parse request body into json: Could not parse payload into json: Unexpected end-of-input at byte 5',
    });
  });

  test('a payload of exactly 6 MB runs, one byte more is 413', async () => {
    const body = `"${'x'.repeat(6_291_456 - 2)}"`;
    expect((await post(PATH, { body })).status).toBe(200);
    const refused = await post(PATH, { body: `${body} ` });
    expect(refused.status).toBe(413);
    expect(refused.headers.get('x-amzn-errortype')).toBe('RequestEntityTooLargeException');
    expect(await refused.json()).toEqual({
      Type: 'User',
      message: 'Request must be smaller than 6291456 bytes for the InvokeFunction operation',
    });
    expect(api.invoker.calls).toHaveLength(1);
  });

  test('deep JSON and __proto__ pass as opaque bytes (acceptance case 69)', async () => {
    const body = `${'['.repeat(100_000)}{"__proto__":{"x":1}}${']'.repeat(100_000)}`;
    const answer = await post(PATH, { body });
    expect(await answer.text()).toBe(body);
  });

  test('a throttled call is 429 with its reason', async () => {
    api.invoker.answer = () => {
      throw new ServiceError('TooManyRequestsException', 'Rate Exceeded.', {
        reason: 'ConcurrentInvocationLimitExceeded',
      });
    };
    const answer = await post(PATH);
    expect(answer.status).toBe(429);
    expect(await answer.json()).toEqual({
      Type: 'User',
      message: 'Rate Exceeded.',
      Reason: 'ConcurrentInvocationLimitExceeded',
    });
  });

  test("a function's content type cannot break the answer", async () => {
    api.invoker.answer = () => ({ contentType: 'text/plain\r\nX-Evil: 1' });
    const answer = await post(PATH);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(answer.headers.get('x-evil')).toBeNull();
  });

  test('a trace header is handed on, and made where there is none', async () => {
    const given = 'Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1';
    await post(PATH, { headers: { 'X-Amzn-Trace-Id': given } });
    const answer = await post(PATH);
    expect(api.invoker.calls[0]?.invocation.traceId).toBe(given);
    const made = api.invoker.calls[1]?.invocation.traceId;
    expect(made).toMatch(/^Root=1-[0-9a-f]{8}-[0-9a-f]{24};Parent=[0-9a-f]{16};Sampled=0$/);
    expect(answer.headers.get('x-amzn-trace-id')).toBe(made);
  });

  test.each([
    '/2015-03-31/functions/hello/invocation',
    '/2015-03-31/functions/hello/invocationsx',
    '/2015-03-31/functions',
  ])('%s is not Invoke', async (path) => {
    await post(path, { body: '{}' });
    expect(api.invoker.calls).toEqual([]);
  });

  test('a name that cannot be decoded is 400', async () => {
    expect((await post('/2015-03-31/functions/%zz/invocations')).status).toBe(400);
  });
});
