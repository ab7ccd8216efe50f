import { once } from 'node:events';
import { createServer, type RequestListener } from 'node:http';

import { expect, test } from 'vitest';

import { HttpConnection, httpRequest } from './http-connection.ts';

async function serve(listener: RequestListener): Promise<AsyncDisposable & { endpoint: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (typeof address !== 'object' || address === null) throw new Error('not listening on a port');
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, 'close');
    },
  };
}

test('requests on one connection get their own answers', async () => {
  await using server = await serve((request, response) => {
    request.pipe(response.writeHead(201, { 'Content-Length': request.headers['content-length'] }));
  });
  using connection = await HttpConnection.open(server.endpoint);
  for (const body of ['first', '', 'x'.repeat(300_000)]) {
    const answer = await connection.send(httpRequest('POST', server.endpoint, '/', [], body));
    expect(answer.status).toBe(201);
    expect(answer.body.toString()).toBe(body);
  }
});

test('a connection that the server closes fails the request under way', async () => {
  await using server = await serve((request) => request.socket.destroy());
  using connection = await HttpConnection.open(server.endpoint);
  const answer = connection.send(httpRequest('GET', server.endpoint, '/', [], ''));
  await expect(answer).rejects.toThrow(/closed|reset/i);
});

test('an answer without Content-Length is refused rather than misread', async () => {
  await using server = await serve((_request, response) => {
    response.write('a');
    response.end('b');
  });
  using connection = await HttpConnection.open(server.endpoint);
  const answer = connection.send(httpRequest('GET', server.endpoint, '/', [], ''));
  await expect(answer).rejects.toThrow('Content-Length');
});
