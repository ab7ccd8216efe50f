import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import { createServer, request as httpRequest } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import { createInterface } from 'node:readline';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type {
  LogEvent,
  LogGroupIdentity,
  LogQuery,
  LogStore,
  StoredLogEvent,
} from '../../logs/log-store.ts';
import type { Interpreter, RuntimeCatalog, RuntimeChoice } from '../../runtimes/runtime-catalog.ts';
import { createHealthHandler } from './health-handler.ts';
import { createLogsHandler } from './logs-handler.ts';

/** Logs of one group in memory; remembers what it was asked. */
class MemoryLogs implements LogStore {
  readonly events: StoredLogEvent[] = [];
  readonly queries: { group: LogGroupIdentity; query: LogQuery }[] = [];
  readonly followers = new Set<(event: StoredLogEvent) => void>();
  readonly unfollowed = Promise.withResolvers<void>();
  /** Runs between the read of the events and its answer. */
  duringRead: () => void = () => undefined;

  append(_group: LogGroupIdentity, logStreamName: string, event: LogEvent): void {
    const stored = { ...event, logStreamName };
    this.events.push(stored);
    for (const follower of this.followers) follower(stored);
  }

  read(group: LogGroupIdentity, query: LogQuery): Promise<StoredLogEvent[]> {
    this.queries.push({ group, query });
    this.duringRead();
    return Promise.resolve([...this.events]);
  }

  follow(_group: LogGroupIdentity, listener: (event: StoredLogEvent) => void): () => void {
    this.followers.add(listener);
    return () => {
      this.followers.delete(listener);
      this.unfollowed.resolve();
    };
  }

  deleteGroup = (): Promise<void> => Promise.resolve();
  flush = (): Promise<void> => Promise.resolve();
  [Symbol.asyncDispose] = (): Promise<void> => Promise.resolve();
}

const GROUP = { accountId: '000000000000', region: 'us-east-1', logGroupName: '/aws/lambda/f' };
const stop = { controller: new AbortController() };
let logs = new MemoryLogs();
let server: Server;
let base = '';
let handled: Promise<void>[] = [];

type Handler = (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void>;

async function serve(handler: Handler): Promise<void> {
  handled = [];
  server = createServer((request, response) => {
    handled.push(handler(request, response, new URL(request.url ?? '/', 'http://localhost')));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  base = `http://127.0.0.1:${portOf(server.address())}`;
}

function portOf(address: AddressInfo | string | null): number {
  return typeof address === 'object' && address !== null ? address.port : 0;
}

async function json(response: Response): Promise<unknown> {
  const body: unknown = await response.json();
  return body;
}

/** Opens a follower; `line` waits for its next line. */
async function openFollower(query: string): Promise<{
  line: () => Promise<unknown>;
  response: IncomingMessage;
}> {
  const request = httpRequest(`${base}/_hearth/logs?follow=true&${query}`);
  request.end();
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
  });
  const lines = createInterface({ input: response })[Symbol.asyncIterator]();
  return {
    response,
    line: async () => {
      const next = await lines.next();
      return next.done === true ? 'end' : JSON.parse(next.value);
    },
  };
}

afterEach(async () => {
  server.closeAllConnections();
  server.close();
  await Promise.all(handled);
});

describe('the logs handler', () => {
  beforeEach(async () => {
    logs = new MemoryLogs();
    stop.controller = new AbortController();
    const { accountId, region } = GROUP;
    await serve(createLogsHandler({ logs, accountId, region, signal: stop.controller.signal }));
  });

  test('answers the events as they are stored', async () => {
    logs.append(GROUP, 'stream', { timestampMs: 5, requestId: 'r-1', message: 'a\nb' });
    logs.append(GROUP, 'stream', { timestampMs: 6, message: '\u001b[31m"' });
    const response = await fetch(`${base}/_hearth/logs?group=/aws/lambda/f`);
    expect(await json(response)).toEqual({ events: logs.events });
    expect(response.headers.get('content-type')).toBe('application/json');
  });

  test('a group without events has none', async () => {
    const response = await fetch(`${base}/_hearth/logs?group=g`);
    expect(await json(response)).toEqual({ events: [] });
  });

  test('hands the parameters to the store', async () => {
    const query = 'account=123456789012&region=eu-west-1&group=g&limit=7&since=99&requestId=abc-1';
    await fetch(`${base}/_hearth/logs?${query}`);
    expect(logs.queries).toEqual([
      {
        group: { accountId: '123456789012', region: 'eu-west-1', logGroupName: 'g' },
        query: { limit: 7, fromMs: 99, requestId: 'abc-1' },
      },
    ]);
  });

  test('has defaults for account, region and limit', async () => {
    await fetch(`${base}/_hearth/logs?group=/aws/lambda/f`);
    expect(logs.queries).toEqual([{ group: GROUP, query: { limit: 1000 } }]);
  });

  test.each([
    ['', 'group'],
    ['group=', 'group'],
    ['group=a%20b', 'group'],
    ['group=g&limit=0', 'limit'],
    ['group=g&limit=10001', 'limit'],
    ['group=g&limit=1&limit=2', 'limit'],
    ['group=g&since=-1', 'since'],
    ['group=g&account=1', 'account'],
    ['group=g&region=../x', 'region'],
    ['group=g&requestId=a%0Ab', 'requestId'],
    ['group=g&follow=yes', 'follow'],
  ])('refuses %j because of %s', async (query, name) => {
    const response = await fetch(`${base}/_hearth/logs?${query}`);
    expect(response.status).toBe(400);
    expect(await json(response)).toEqual({
      message: expect.stringContaining(`Cannot read logs as ${name} must be `),
    });
    expect(logs.queries).toEqual([]);
  });

  test('answers GET only', async () => {
    const response = await fetch(`${base}/_hearth/logs?group=g`, { method: 'POST' });
    expect(response.status).toBe(405);
  });

  test('follow sends the stored events, then each new one', async () => {
    logs.append(GROUP, 's', { timestampMs: 1, message: 'old' });
    const { line } = await openFollower('group=/aws/lambda/f');
    expect(await line()).toEqual({ timestampMs: 1, logStreamName: 's', message: 'old' });
    logs.append(GROUP, 's', { timestampMs: 2, message: 'new' });
    expect(await line()).toEqual({ timestampMs: 2, logStreamName: 's', message: 'new' });
  });

  test('what is written while follow reads arrives once', async () => {
    logs.append(GROUP, 's', { timestampMs: 1, message: '1' });
    logs.duringRead = () => logs.append(GROUP, 's', { timestampMs: 2, message: '2' });
    const { line } = await openFollower('group=/aws/lambda/f');
    logs.append(GROUP, 's', { timestampMs: 3, message: '3' });
    const seen = [await line(), await line(), await line()];
    expect(seen).toMatchObject([{ message: '1' }, { message: '2' }, { message: '3' }]);
  });

  test('follow keeps to one request where one is named', async () => {
    const { line } = await openFollower('group=/aws/lambda/f&requestId=mine');
    logs.append(GROUP, 's', { timestampMs: 1, requestId: 'other', message: 'no' });
    logs.append(GROUP, 's', { timestampMs: 1, requestId: 'mine', message: 'yes' });
    expect(await line()).toMatchObject({ message: 'yes' });
  });

  test('a follower that goes away is forgotten', async () => {
    const { response } = await openFollower('group=/aws/lambda/f');
    expect(logs.followers.size).toBe(1);
    response.destroy();
    await logs.unfollowed.promise;
    expect(logs.followers.size).toBe(0);
  });

  test('the end of the server ends its followers', async () => {
    const { line } = await openFollower('group=/aws/lambda/f');
    stop.controller.abort();
    expect(await line()).toBe('end');
    expect(logs.followers.size).toBe(0);
  });

  test('a follower that does not read costs a bounded amount of memory', async () => {
    const { response, line } = await openFollower('group=/aws/lambda/f');
    response.pause();
    const message = 'x'.repeat(1024 * 1024);
    for (let i = 0; i < 64; i += 1) logs.append(GROUP, 's', { timestampMs: i, message });
    response.resume();
    let received = 0;
    let dropped = 0;
    while (received + dropped < 64) {
      const next = await line();
      if (isDropped(next)) dropped += next.droppedEvents;
      else received += 1;
    }
    expect(dropped).toBeGreaterThan(0);
    expect(received).toBeLessThan(64);
  });
});

function isDropped(line: unknown): line is { droppedEvents: number } {
  return typeof line === 'object' && line !== null && 'droppedEvents' in line;
}

describe('the health handler', () => {
  const interpreter: Interpreter = {
    family: 'nodejs',
    version: '24.1.0',
    prefix: '/opt/node',
    program: 'bin/node',
    origin: 'PATH',
  };
  const catalog: RuntimeCatalog = {
    resolve: (runtime): Promise<RuntimeChoice | undefined> =>
      Promise.resolve(
        runtime.startsWith('nodejs') ? { interpreter, exact: runtime === 'nodejs24.x' } : undefined,
      ),
    list: () => Promise.resolve([interpreter]),
  };
  const enforcement = {
    memory: false,
    cpu: false,
    processes: false,
    ephemeralStorage: false,
    sharedMemory: false,
    openFiles: false,
    filesystem: false,
    processIsolation: false,
    network: false,
    systemCalls: false,
    user: false,
    freeze: false,
  };
  const facts = {
    version: '1.2.3',
    region: 'us-east-1',
    accountId: '000000000000',
    dataDir: '/data',
    sandbox: {
      driver: 'process' as const,
      enforcement,
      limits: [{ property: 'memory' as const, enforced: false, why: 'no cgroup' }],
    },
  };

  beforeEach(() => serve(createHealthHandler({ ...facts, catalog })));

  test('answers what the server is and enforces', async () => {
    const response = await fetch(`${base}/_hearth/health`);
    expect(response.status).toBe(200);
    expect(await json(response)).toEqual({ status: 'ok', ...facts });
  });

  test('says what runs each runtime where it is asked to', async () => {
    const response = await fetch(`${base}/_hearth/health?runtimes=true`);
    expect(await json(response)).toMatchObject({
      runtimes: expect.arrayContaining([
        {
          runtime: 'nodejs24.x',
          version: '24.1.0',
          exact: true,
          path: '/opt/node/bin/node',
          origin: 'PATH',
        },
        {
          runtime: 'python3.12',
          obstacle: expect.stringMatching(/^Cannot run python3\.12 .* none was found/),
        },
        { runtime: 'provided.al2023' },
      ]),
    });
  });

  test('answers GET only', async () => {
    expect((await fetch(`${base}/_hearth/health`, { method: 'DELETE' })).status).toBe(405);
  });
});
