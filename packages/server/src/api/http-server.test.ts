import { once } from 'node:events';
import { connect } from 'node:net';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SystemClock } from '../clock/system-clock.ts';
import { HttpServer } from './http-server.ts';
import { startApi, type ApiFixture } from './lambda-api-fixture.ts';

let api: ApiFixture;

beforeEach(async () => {
  api = await startApi();
});

afterEach(() => api[Symbol.asyncDispose]());

/** Sends bytes as they are and gives everything that comes back until the server closes. */
async function exchange(text: string): Promise<string> {
  const socket = connect(api.port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    answer += chunk;
  });
  socket.write(text);
  await once(socket, 'close');
  return answer;
}

const get = (headers: string, path = '/2015-03-31/functions'): Promise<string> =>
  exchange(`GET ${path} HTTP/1.1\r\n${headers}\r\nConnection: close\r\n\r\n`);

describe('malformed HTTP', () => {
  test.each([
    ['no HTTP at all', 'hello\r\n\r\n'],
    [
      'a body length beside chunks',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    [
      'two lengths',
      'POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabc',
    ],
    ['a folded header', 'GET / HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\n 2\r\n\r\n'],
    ['no Host', 'GET / HTTP/1.1\r\nConnection: close\r\n\r\n'],
    [
      'a target that is no path',
      'GET http://localhost/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n',
    ],
  ])('%s is 400', async (_case, text) => {
    expect(await exchange(text)).toMatch(/^HTTP\/1\.1 400 /);
  });

  test('headers of more than 16 KB are 431 (acceptance case 68)', async () => {
    const answer = await get(`Host: localhost\r\nX-Big: ${'x'.repeat(17_000)}`);
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });
});

describe('Host and Origin (acceptance case 66)', () => {
  test.each([
    'Host: localhost',
    'Host: 127.0.0.1:4566',
    'Host: [::1]:4566',
    'Host: 192.168.1.7',
    'Host: lambda.localhost:4566',
    'Host: LAMBDA.example.test:4566',
    'Host: localhost\r\nOrigin: http://localhost:3000',
    'Host: localhost\r\nOrigin: http://127.0.0.1:3000',
    'Host: localhost\r\nOrigin: https://lambda.example.test',
  ])('%j is served', async (headers) => {
    expect(await get(headers)).toMatch(/^HTTP\/1\.1 200 /);
  });

  test.each([
    'Host: evil.test',
    'Host: localhost.evil.test',
    'Host: user@localhost',
    'Host: ',
    'Host: localhost\r\nOrigin: https://evil.test',
    'Host: localhost\r\nOrigin: http://localhost.evil.test',
    'Host: localhost\r\nOrigin: http://127.0.0.1.evil.test',
    'Host: localhost\r\nOrigin: http://10.0.0.1',
    'Host: localhost\r\nOrigin: null',
    'Host: localhost\r\nOrigin: http://localhost:80/x',
  ])('%j is 403', async (headers) => {
    expect(await get(headers)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await get(headers, '/_hearth/code/x')).toMatch(/^HTTP\/1\.1 403 /);
  });
});

describe('paths', () => {
  test('an unknown one is 404 in the shape of the API', async () => {
    const answer = await fetch(`${api.url}/nowhere?x=1`);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('x-amzn-errortype')).toBe('UnknownOperationException');
    expect(answer.headers.get('x-amzn-requestid')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await answer.json()).toEqual({
      Type: 'User',
      Message: 'There is no operation GET /nowhere',
    });
  });

  test('an unknown admin page is 404, a wrong method 405', async () => {
    expect((await fetch(`${api.url}/_hearth/nothing`)).status).toBe(404);
    const wrong = await fetch(`${api.url}/_hearth/code/a`, { method: 'POST' });
    expect(wrong.status).toBe(405);
    expect(wrong.headers.get('allow')).toBe('GET');
  });

  test.each(['../../etc/passwd', '%2e%2e/%2e%2e/x', 'a/b/c?sha256=x'])(
    'code/%s is 404',
    async (path) => {
      expect(await get('Host: localhost', `/_hearth/code/${path}`)).toMatch(/^HTTP\/1\.1 404 /);
    },
  );
});

describe('bodies', () => {
  test.each([
    ['no JSON', '{"FunctionName"', 'InvalidRequestContentException'],
    ['a list', '[]', 'SerializationException'],
    ['a number for a text', '{"FunctionName":1}', 'SerializationException'],
    ['text for a number', '{"Timeout":"3"}', 'SerializationException'],
    ['a fraction for a whole number', '{"Timeout":3.5}', 'SerializationException'],
    ['code that is no base64', '{"Code":{"ZipFile":"%%%%"}}', 'SerializationException'],
    ['null', 'null', 'ValidationException'],
    ['nothing', '', 'ValidationException'],
    ['members of another case', '{"functionName":"x"}', 'ValidationException'],
  ])('%s is refused', async (_case, body, name) => {
    const answer = await fetch(`${api.url}/2015-03-31/functions`, { method: 'POST', body });
    expect([answer.status, answer.headers.get('x-amzn-errortype')]).toEqual([400, name]);
  });

  test('missing members are all named', async () => {
    const answer = await fetch(`${api.url}/2015-03-31/functions`, { method: 'POST', body: '{}' });
    expect(await answer.json()).toMatchObject({
      message:
        "3 validation errors detected: Value null at 'functionName' failed to satisfy constraint: Member must not be null; " +
        "Value null at 'role' failed to satisfy constraint: Member must not be null; " +
        "Value null at 'code' failed to satisfy constraint: Member must not be null",
    });
  });

  test('a connection that ends within a body harms nobody', async () => {
    const socket = connect(api.port, '127.0.0.1');
    socket.write(
      'POST /2015-03-31/functions HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\n{',
    );
    await once(socket, 'connect');
    socket.destroy();
    expect((await fetch(`${api.url}/2015-03-31/functions`)).status).toBe(200);
    expect(api.faults).toEqual([]);
  });
});

describe('close', () => {
  test('settles when what runs is answered', async () => {
    const arrived = Promise.withResolvers<void>();
    const finish = Promise.withResolvers<void>();
    const server = new HttpServer({
      adminRoutes: [],
      lambdaApi: (_request, response) => {
        arrived.resolve();
        void finish.promise.then(() => response.end('done'));
      },
      ownHosts: [],
      clock: new SystemClock(),
      onFault: () => undefined,
    });
    const port = await server.listen(0, '127.0.0.1');
    const answer = fetch(`http://127.0.0.1:${port}/`).then((response) => response.text());
    await arrived.promise;
    const closed = server.close(60_000);
    finish.resolve();
    expect(await answer).toBe('done');
    await expect(closed).resolves.toBeUndefined();
  });

  test('cuts off what is left after the grace', async () => {
    const arrived = Promise.withResolvers<void>();
    const server = new HttpServer({
      adminRoutes: [],
      lambdaApi: () => arrived.resolve(),
      ownHosts: [],
      clock: new SystemClock(),
      onFault: () => undefined,
    });
    const port = await server.listen(0, '127.0.0.1');
    const answer = fetch(`http://127.0.0.1:${port}/`).catch((error: unknown) => String(error));
    await arrived.promise;
    await server.close(1);
    expect(await answer).toContain('fetch failed');
  });

  test('a port that is taken is told', async () => {
    const server = new HttpServer({
      adminRoutes: [],
      lambdaApi: () => undefined,
      ownHosts: [],
      clock: new SystemClock(),
      onFault: () => undefined,
    });
    await expect(server.listen(api.port, '127.0.0.1')).rejects.toMatchObject({
      code: 'EADDRINUSE',
    });
  });
});
