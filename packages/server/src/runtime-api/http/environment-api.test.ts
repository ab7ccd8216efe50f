import { once } from 'node:events';
import { createServer, connect, type AddressInfo, type Socket } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { RuntimeGoneError, type RuntimeResult } from '../runtime-session.ts';
import { sendJson, type ApiRoutes } from './api-route.ts';
import {
  answerPath,
  event,
  INIT,
  INIT_ERROR_PATH,
  ListeningApi,
  NEXT_PATH,
  type RawClient,
} from './raw-runtime-fixture.ts';

describe('paths', () => {
  test('ping answers pong, with and without the version', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = served.client();
    expect(await client.call('GET', '/ping')).toMatchObject({ status: 200, body: 'pong' });
    expect(await client.call('GET', '/2018-06-01/ping?x')).toMatchObject({ body: 'pong' });
  });

  test.each([
    ['GET', '/', 404],
    ['GET', '/2018-06-01/runtime/restore/next', 404],
    ['POST', '/2018-06-01/runtime/restore/error', 404],
    ['GET', '/2018-06-01/runtime/invocation/next/', 404],
    ['POST', '/2018-06-01/runtime/invocation//response', 404],
    ['GET', '/2015-03-31/functions', 404],
    ['POST', NEXT_PATH, 405],
    ['GET', INIT_ERROR_PATH, 405],
    ['PUT', answerPath('r'), 405],
    ['HEAD', '/ping', 405],
  ])('%s %s answers %i', async (method, path, status) => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = served.client();
    expect((await client.call(method, path, 'body')).status).toBe(status);
    expect((await client.call('GET', '/ping')).body).toBe('pong');
  });

  test('what is not the Runtime API’s goes to the other routes', async () => {
    const routes: ApiRoutes = {
      handle: (request, response) => {
        if (request.url !== '/2020-01-01/extension/register') return false;
        sendJson(response, 200, { mine: true }, { 'Lambda-Extension-Identifier': 'i' });
        return true;
      },
    };
    await using served = await ListeningApi.start({ runtime: 'http', routes });
    const client = served.client();
    const { headers, body } = await client.call('POST', '/2020-01-01/extension/register');
    expect([headers['lambda-extension-identifier'], body]).toEqual(['i', '{"mine":true}']);
    expect((await client.call('GET', '/else')).status).toBe(404);
    expect((await client.call('GET', '/ping')).body).toBe('pong');
  });

  test('a fault of a route is answered with 500', async () => {
    const routes: ApiRoutes = {
      handle: () => {
        throw new Error('fault');
      },
    };
    await using served = await ListeningApi.start({ runtime: 'http', routes });
    expect(await served.client().call('GET', '/x')).toMatchObject({
      status: 500,
      body: '{"errorMessage":"Internal Server Error","errorType":"InternalServerError"}',
    });
  });
});

describe('where the runtime talks by other means', () => {
  test('E50 nobody can take an event or answer it', async () => {
    await using served = await ListeningApi.start({ runtime: 'framed' });
    const client = served.client();
    for (const [method, path] of [
      ['GET', NEXT_PATH],
      ['POST', answerPath('r1')],
      ['POST', answerPath('r1', 'error')],
      ['POST', INIT_ERROR_PATH],
    ] as const) {
      const { status, body } = await client.call(method, path, '{}');
      expect([status, body]).toEqual([403, expect.stringContaining('InvalidStateTransition')]);
    }
    expect((await client.call('GET', '/ping')).body).toBe('pong');
    expect((await client.call('DELETE', NEXT_PATH)).status).toBe(405);
  });
});

describe('connections', () => {
  test('E49 one environment’s runtime gets nothing of another’s', async () => {
    await using one = await ListeningApi.start({ runtime: 'http' });
    await using two = await ListeningApi.start({ runtime: 'http' });
    const first = await one.readyClient();
    await two.readyClient();
    const call = one.api.runtime.invoke(event('r1'));
    expect((await first.response()).headers['lambda-runtime-aws-request-id']).toBe('r1');
    const stolen = await two.client().call('POST', answerPath('r1'), '"stolen"');
    expect(stolen.status).toBe(400);
    await first.call('POST', answerPath('r1'), '"own"');
    expect(textOf(await call)).toBe('"own"');
  });

  test('there are 32 at most, and a place is free again when one ends', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const clients: RawClient[] = [];
    for (let count = 0; count < 32; count += 1) {
      const client = served.client();
      clients.push(client);
      expect((await client.call('GET', '/ping')).body).toBe('pong');
    }
    await served.client().ended();
    clients[0]?.socket.end();
    await clients[0]?.ended();
    expect((await served.client().call('GET', '/ping')).body).toBe('pong');
  });

  test('end with the environment’s API, and none is taken after it', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    served.api[Symbol.dispose]();
    await expect(call).rejects.toThrow(RuntimeGoneError);
    await client.ended();
    await served.client().ended();
  });

  test('a dispose within a response ends the call and leaves no fault behind', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    client.send(`POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\n"a`);
    expect((await served.client().call('GET', '/ping')).body).toBe('pong');
    served.api[Symbol.dispose]();
    await expect(call).rejects.toThrow(RuntimeGoneError);
    await client.ended();
  });

  test('pipelined calls are taken in turn', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    const response = `POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\n\r\n1`;
    client.send(`${response}GET ${NEXT_PATH} HTTP/1.1\r\nHost: h\r\n\r\n`);
    expect((await client.response()).status).toBe(202);
    expect(textOf(await call)).toBe('1');
    await served.api.runtime.idle();
    void served.api.runtime.invoke(event('r2')).catch(() => {});
    expect((await client.response()).headers['lambda-runtime-aws-request-id']).toBe('r2');
  });

  test('one that pipelines without end is closed', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = await served.readyClient();
    client.send('GET /ping HTTP/1.1\r\nHost: h\r\n\r\n'.repeat(5_000));
    await client.ended();
    expect((await served.client().call('GET', '/ping')).body).toBe('pong');
  });

  test('headers of more than a megabyte are refused', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = served.client();
    client.send('GET /ping HTTP/1.1\r\nHost: h\r\n');
    const filler = `X: ${'x'.repeat(60_000)}\r\n`;
    for (let count = 0; count < 20; count += 1) client.send(filler);
    expect((await client.response()).status).toBe(431);
    await client.ended();
  });

  test.each(['nonsense\r\n\r\n', 'GET /ping HTTP/9.9\r\n\r\n', 'GET /ping HTTP/1.1\r\n\r\n', '\0'])(
    'what is not HTTP is refused: %j',
    async (bytes) => {
      await using served = await ListeningApi.start({ runtime: 'http' });
      const client = served.client();
      client.send(bytes);
      expect((await client.response()).status).toBe(400);
    },
  );

  test('a refused call with a large body leaves the connection usable', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = served.client();
    expect((await client.call('POST', answerPath('r1'), Buffer.alloc(9_000_000))).status).toBe(400);
    expect((await client.call('GET', '/ping')).body).toBe('pong');
  });

  test('a client that expects to be asked for its body is', async () => {
    await using served = await ListeningApi.start({ runtime: 'http' });
    const client = await served.readyClient();
    const call = served.api.runtime.invoke(event('r1'));
    await client.response();
    client.send(
      `POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n`,
    );
    expect((await client.response()).status).toBe(100);
    client.send('1');
    expect((await client.response()).status).toBe(202);
    expect(textOf(await call)).toBe('1');
  });

  test.each(['broken', 'closed'])(
    'one that is %s before it is attached does no harm',
    async (how) => {
      await using served = await ListeningApi.start({ runtime: 'http' });
      const server = createServer().listen(0, '127.0.0.1');
      await once(server, 'listening');
      const accepted = new Promise<Socket>((resolve) => {
        server.on('connection', resolve);
      });
      const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
      const socket = await accepted;
      const closed = new Promise((resolve) => {
        socket.on('close', resolve);
      });
      client.resetAndDestroy();
      if (how === 'closed') {
        socket.destroy();
        await closed;
      }
      served.api.attach(socket);
      await closed;
      server.close();
      expect((await served.client().call('GET', '/ping')).body).toBe('pong');
    },
  );
});

describe('whatever is sent', () => {
  const fragments = fc.array(
    fc.oneof(
      fc.constantFrom(
        `GET ${NEXT_PATH} HTTP/1.1\r\nHost: h\r\n\r\n`,
        `POST ${INIT_ERROR_PATH} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\n{}`,
        `POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"r1"`,
        `POST ${answerPath('r2')} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"r2"`,
        `POST ${answerPath('r1', 'error')} HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\n\r\n"r1"`,
        `POST ${answerPath('r1')} HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n`,
        'CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n',
        'GET /ping HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n',
        '4\r\n"r1"\r\n',
        '0\r\n\r\n',
        '0\r\nLambda-Runtime-Function-Error-Type: X\r\n\r\n',
        'Content-Length: 5\r\n',
        '\r\n\r\n',
      ),
      fc.string({ maxLength: 20 }),
    ),
    { maxLength: 12 },
  );

  test('on whatever connections, the server goes on and no event gets another’s answer', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fragments, { minLength: 1, maxLength: 4 }), async (scripts) => {
        await using served = await ListeningApi.start({ runtime: 'http' });
        const { runtime } = served.api;
        const results: Promise<RuntimeResult | undefined>[] = [];
        void runtime.init(INIT).then(
          async () => {
            for (const requestId of ['r1', 'r2']) {
              const call = runtime.invoke(event(requestId)).catch(() => undefined);
              results.push(call);
              await call;
            }
          },
          () => {},
        );
        const ends = scripts.map(async (script) => {
          const client = served.client();
          for (const bytes of script) client.send(bytes);
          client.socket.end();
          await client.ended();
        });
        await Promise.all(ends);
        const alive = await served.client().call('GET', '/ping');
        served.api[Symbol.dispose]();
        expect(alive.body).toBe('pong');
        const [first, second] = await Promise.all(results);
        expect(textOf(first)).toMatch(/^$|"r1"|TruncatedResponse/);
        expect(textOf(second)).toMatch(/^$|"r2"|TruncatedResponse/);
      }),
      { numRuns: 100 },
    );
  });
});

function textOf(result: RuntimeResult | undefined): string {
  return result === undefined || result.kind === 'ready'
    ? ''
    : Buffer.from(result.payload).toString();
}
