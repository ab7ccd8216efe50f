import { once } from 'node:events';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ExtensionApiFixture } from './extension-api-fixture.ts';

const REGISTER = '/2020-01-01/extension/register';
const NEXT = '/2020-01-01/extension/event/next';
const INIT_ERROR = '/2020-01-01/extension/init/error';
const EXIT_ERROR = '/2020-01-01/extension/exit/error';
const TELEMETRY = '/2022-07-01/telemetry';
const LOGS = '/2020-08-15/logs';
const STRANGER = '00000000-0000-4000-8000-000000000000';
const REQUEST_ID = '6f7f0961-f834-4211-8a7a-f6fe80b88d56';
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

const INVOKE = {
  requestId: REQUEST_ID,
  deadlineMs: 1_700_000_003_000,
  invokedFunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:f',
};

function subscription(change: object = {}): string {
  return JSON.stringify({
    schemaVersion: '2025-01-29',
    types: ['platform'],
    destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain:8080' },
    ...change,
  });
}

function error(errorType: string, errorMessage: string): string {
  return JSON.stringify({ errorMessage, errorType });
}

describe('register', () => {
  test('gives the function and a random identifier, and the account to who accepts it', async () => {
    await using fixture = await ExtensionApiFixture.start();
    fixture.registry.expect(['a', 'b']);
    const client = fixture.served.client();
    const a = await client.call('POST', REGISTER, '{"events":["INVOKE","SHUTDOWN"]}', {
      'Lambda-Extension-Name': 'a',
    });
    expect(a).toMatchObject({
      status: 200,
      body: '{"functionName":"f","functionVersion":"$LATEST","handler":"index.handler"}',
    });
    expect(a.headers['lambda-extension-identifier']).toMatch(UUID);
    const b = await client.call('POST', REGISTER, '{}', {
      'Lambda-Extension-Name': 'b',
      'Lambda-Extension-Accept-Feature': 'other, accountId',
    });
    expect(JSON.parse(b.body)).toMatchObject({ accountId: '123456789012' });
    expect(b.headers['lambda-extension-identifier']).not.toBe(
      a.headers['lambda-extension-identifier'],
    );
    expect(fixture.registry.list()).toEqual([
      { name: 'a', state: 'Registered', events: ['INVOKE', 'SHUTDOWN'] },
      { name: 'b', state: 'Registered', events: [] },
    ]);
  });

  test('takes a file name in UTF-8 for what it is', async () => {
    await using fixture = await ExtensionApiFixture.start();
    fixture.registry.expect(['überwachung']);
    const { status } = await fixture.served
      .client()
      .call('POST', REGISTER, '{"events":["SHUTDOWN"]}', {
        'Lambda-Extension-Name': 'überwachung',
      });
    expect(status).toBe(200);
    expect(fixture.registry.list()).toMatchObject([{ state: 'Registered' }]);
  });

  test.each([
    ['', '{}', 'Extension.InvalidExtensionName', 'Empty extension name'],
    ['a\tState: Ready', '{}', 'Extension.InvalidExtensionName', 'Extension name is malformed'],
    ['a'.repeat(256), '{}', 'Extension.InvalidExtensionName', 'Extension name is too long'],
    ['a', '', 'InvalidRequestFormat', 'the body is not valid JSON'],
    ['a', '[]', 'InvalidRequestFormat', 'the body is not a JSON object'],
    ['a', '{"events":"INVOKE"}', 'InvalidRequestFormat', 'events must be an array of strings'],
    ['a', '{"events":[1]}', 'InvalidRequestFormat', 'events must be an array of strings'],
    [
      'a',
      '{"configurationKeys":["x"]}',
      'InvalidRequestFormat',
      'configurationKeys are deprecated; use environment variables instead',
    ],
    ['a', '{"events":["x"]}', 'Extension.InvalidEventType', 'x: ErrorInvalidEventType'],
    [
      'inner',
      '{"events":["SHUTDOWN"]}',
      'Extension.InvalidEventType',
      'SHUTDOWN: ShutdownEventNotSupportedForInternalExtension',
    ],
  ])('name %j with body %j is refused', async (name, body, errorType, message) => {
    await using fixture = await ExtensionApiFixture.start();
    fixture.registry.expect(['a']);
    const answer = await fixture.served.client().call('POST', REGISTER, body, {
      'Lambda-Extension-Name': name,
    });
    expect([answer.status, answer.body]).toEqual([403, error(errorType, message)]);
    expect(fixture.registry.list()).toEqual([{ name: 'a', state: 'Started', events: [] }]);
  });

  test('a body without end is refused, and the connection lives on', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const client = fixture.served.client();
    const { status, body } = await client.call('POST', REGISTER, 'x'.repeat(70_000), {
      'Lambda-Extension-Name': 'a',
    });
    expect([status, body]).toEqual([
      413,
      error('RequestEntityTooLarge', 'Exceeded maximum allowed payload size (65536 bytes).'),
    ]);
    expect((await client.call('GET', '/ping')).status).toBe(200);
  });
});

describe('identifiers', () => {
  test.each([
    ['GET', NEXT],
    ['POST', INIT_ERROR],
    ['POST', EXIT_ERROR],
    ['PUT', TELEMETRY],
    ['PUT', LOGS],
  ])('%s %s needs one that is known', async (method, path) => {
    await using fixture = await ExtensionApiFixture.start();
    const client = fixture.served.client();
    const headers = { 'Lambda-Extension-Function-Error-Type': 'E' };
    const ask = async (identifier?: string): Promise<[number, string]> => {
      const { status, body } = await client.call(method, path, subscription(), {
        ...headers,
        ...(identifier !== undefined && { 'Lambda-Extension-Identifier': identifier }),
      });
      return [status, (JSON.parse(body) as { errorType: string }).errorType];
    };
    expect(await ask()).toEqual([403, 'Extension.MissingExtensionIdentifier']);
    expect(await ask('')).toEqual([403, 'Extension.MissingExtensionIdentifier']);
    for (const wrong of ['x', `{${STRANGER}}`, STRANGER.slice(1), STRANGER.replaceAll('-', '')]) {
      expect(await ask(wrong)).toEqual([403, 'Extension.InvalidExtensionIdentifier']);
    }
    expect(await ask(STRANGER)).toEqual([403, 'Extension.UnknownExtensionIdentifier']);
  });

  test.each([
    ['GET', REGISTER],
    ['POST', NEXT],
    ['GET', INIT_ERROR],
    ['PUT', EXIT_ERROR],
    ['POST', TELEMETRY],
    ['GET', LOGS],
  ])('%s %s is the wrong method', async (method, path) => {
    await using fixture = await ExtensionApiFixture.start();
    expect((await fixture.served.client().call(method, path, 'x')).status).toBe(405);
  });
});

describe('events', () => {
  test('next waits for the event and names it', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const { registry, served } = fixture;
    const identifier = registry.register('inner', ['INVOKE']);
    registry.closeRegistration();
    const ready = registry.ready();
    const client = served.client();
    client.request('GET', NEXT, '', { 'Lambda-Extension-Identifier': identifier.toUpperCase() });
    await ready;
    registry.invoke({ ...INVOKE, traceId: 'Root=1' });
    const { status, headers, body } = await client.response();
    expect([status, headers['content-type']]).toEqual([200, 'application/json']);
    expect(headers['lambda-extension-event-identifier']).toMatch(UUID);
    expect(headers['lambda-extension-identifier']).toBe(identifier);
    expect(JSON.parse(body)).toEqual({
      eventType: 'INVOKE',
      ...INVOKE,
      tracing: { type: 'X-Amzn-Trace-Id', value: 'Root=1' },
    });
  });

  test('a second connection that asks meanwhile is refused and gets nothing', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const { registry, served } = fixture;
    const identifier = registry.register('inner', ['INVOKE']);
    const headers = { 'Lambda-Extension-Identifier': identifier };
    const [first, second] = [served.client(), served.client()];
    const ready = registry.ready();
    first.request('GET', NEXT, '', headers);
    await ready;
    expect(await second.call('GET', NEXT, '', headers)).toMatchObject({
      status: 403,
      body: error(
        'Extension.InvalidExtensionState',
        `State transition from Ready to Ready failed for extension ${identifier}. Error: State transition is not allowed`,
      ),
    });
    registry.invoke(INVOKE);
    expect((await first.response()).status).toBe(200);
  });

  test('who broke the connection while it waited gets the event on another', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const { registry, served } = fixture;
    const headers = { 'Lambda-Extension-Identifier': registry.register('inner', ['INVOKE']) };
    const first = served.client();
    const ready = registry.ready();
    first.request('GET', NEXT, '', headers);
    await ready;
    const [serversEnd] = fixture.asked;
    first.socket.destroy();
    if (serversEnd !== undefined) await once(serversEnd, 'close');
    registry.invoke(INVOKE);
    expect(await served.client().call('GET', NEXT, '', headers)).toMatchObject({ status: 200 });
  });

  test('an error is reported with its type, and nothing more is to be had afterwards', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const { registry, served } = fixture;
    registry.expect(['a']);
    const headers = { 'Lambda-Extension-Identifier': registry.register('a', []) };
    const client = served.client();
    expect(await client.call('POST', INIT_ERROR, '{}', headers)).toMatchObject({
      status: 403,
      body: error('Extension.MissingHeader', 'Lambda-Extension-Function-Error-Type not found'),
    });
    const withType = { ...headers, 'Lambda-Extension-Function-Error-Type': 'Fatal.\tX' };
    for (let time = 0; time < 2; time += 1) {
      expect(await client.call('POST', INIT_ERROR, '{"errorMessage":"m"}', withType)).toMatchObject(
        {
          status: 202,
          body: '{"status":"OK"}',
        },
      );
    }
    expect((await client.call('GET', NEXT, '', headers)).status).toBe(403);
    expect(registry.list()).toMatchObject([{ state: 'InitError', errorType: 'Fatal. X' }]);
    registry.processEnded('a', { code: 1, signal: undefined });
    expect(await registry.failure).toMatchObject({ errorType: 'Extension.InitError' });
  });
});

describe('subscribe', () => {
  test('is answered "OK", with or without a slash at the end, and tells the log', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const { registry, served, subscriptions } = fixture;
    const headers = { 'Lambda-Extension-Identifier': registry.register('inner', []) };
    const client = served.client();
    for (const path of [TELEMETRY, `${TELEMETRY}/`]) {
      expect(await client.call('PUT', path, subscription(), headers)).toMatchObject({
        status: 200,
        body: '"OK"',
      });
    }
    expect(subscriptions[0]).toEqual({ name: 'inner', types: ['platform'] });
  });

  test.each([
    [TELEMETRY, '2025-01-29', 'ValidationError'],
    [LOGS, '2020-08-15', 'Logs.ValidationError'],
  ])('%s lists what is wrong', async (path, schemaVersion, errorType) => {
    await using fixture = await ExtensionApiFixture.start();
    const headers = { 'Lambda-Extension-Identifier': fixture.registry.register('inner', []) };
    const body = subscription({
      schemaVersion,
      types: [],
      destination: { protocol: 'HTTP', URI: 'http://sandbox.localdomain' },
    });
    expect(await fixture.served.client().call('PUT', path, body, headers)).toMatchObject({
      status: 400,
      body: error(errorType, 'types should not be empty; URI port is not provided'),
    });
  });

  test('of the two APIs an extension can use one', async () => {
    await using fixture = await ExtensionApiFixture.start();
    const headers = { 'Lambda-Extension-Identifier': fixture.registry.register('inner', []) };
    const client = fixture.served.client();
    await client.call('PUT', TELEMETRY, subscription(), headers);
    const logs = subscription({ schemaVersion: '2021-03-18' });
    expect(await client.call('PUT', LOGS, logs, headers)).toMatchObject({
      status: 400,
      body: error('Logs.ValidationError', 'already subscribed through the Telemetry API'),
    });
  });

  test.each([
    [TELEMETRY, 'Telemetry'],
    [LOGS, 'Logs'],
  ])('%s is closed after init', async (path, title) => {
    await using fixture = await ExtensionApiFixture.start();
    const { registry, served } = fixture;
    const headers = { 'Lambda-Extension-Identifier': registry.register('inner', []) };
    registry.closeRegistration();
    const waiting = served.client();
    waiting.request('GET', NEXT, '', headers);
    await registry.initialised;
    const client = served.client();
    for (const body of [subscription(), 'rubbish']) {
      expect(await client.call('PUT', path, body, headers)).toMatchObject({
        status: 403,
        body: error(`${title}.SubscriptionClosed`, `${title} API subscription is closed already`),
      });
    }
  });
});

test('whatever is sent to the APIs, they answer with a status of theirs', async () => {
  await using fixture = await ExtensionApiFixture.start();
  const { registry, served } = fixture;
  registry.expect(['a']);
  const identifier = registry.register('a', ['INVOKE']);
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(REGISTER, INIT_ERROR, TELEMETRY, LOGS, `${NEXT}/`),
      fc.constantFrom('POST', 'PUT'),
      fc.oneof(fc.json(), fc.string(), fc.string({ unit: 'binary', maxLength: 2_000 })),
      fc.constantFrom(identifier, STRANGER, 'x', ''),
      async (path, method, body, id) => {
        const client = served.client();
        const { status } = await client.call(method, path, body, {
          'Lambda-Extension-Identifier': id,
          'Lambda-Extension-Name': 'a',
        });
        client.socket.destroy();
        expect([200, 202, 400, 403, 404, 405]).toContain(status);
      },
    ),
    { numRuns: 100 },
  );
});
