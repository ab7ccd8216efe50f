import { once } from 'node:events';
import { createServer as createHttpServer } from 'node:http';
import { duplexPair, type Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../../clock/manual-clock.ts';
import { ExtensionRegistry } from '../extensions/extension-registry.ts';
import type { LogRecord } from './event-form.ts';
import { ListenerFixture, turns } from './listener-fixture.ts';
import type { TelemetrySubscription } from './subscription.ts';
import { extension, start } from './telemetry-event.ts';
import { TelemetryRoutes } from './telemetry-routes.ts';
import { MAX_EARLY_EVENTS, TelemetryStreams } from './telemetry-streams.ts';

const SUBSCRIPTION: TelemetrySubscription = {
  api: 'telemetry',
  schema: '2025-01-29',
  types: ['platform', 'function', 'extension'],
  buffering: { maxItems: 1_000, maxBytes: 262_144, timeoutMs: 25 },
  destination: {
    protocol: 'HTTP',
    method: 'PUT',
    authority: 'sandbox.localdomain:8080',
    port: 8080,
    path: '/',
  },
};

/** A listener that takes a connection and reads what comes. */
class TcpFixture {
  readonly ends: Duplex[] = [];
  readonly attempts: number[] = [];
  text = '';

  readonly connect = (port: number): Promise<Duplex> => {
    this.attempts.push(port);
    const [near, far] = duplexPair();
    far.on('error', () => {});
    far.on('data', (chunk: Buffer) => {
      this.text += chunk.toString();
    });
    this.ends.push(far);
    return Promise.resolve(near);
  };

  get records(): unknown[] {
    return this.text
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as { record: unknown }).record);
  }
}

describe('streams', () => {
  test('who subscribes during init is told what has been', async () => {
    const clock = new ManualClock();
    using listener = new ListenerFixture();
    using streams = new TelemetryStreams({ clock, connect: listener.connect });
    const beganMs = clock.nowMs();
    streams.publish(extension({ name: 'x', state: 'Ready', events: [] }));
    streams.publishLog('extension', 'hello');
    clock.advance(500);
    streams.subscribe('x', SUBSCRIPTION);
    await streams.flush(1_000);
    const events = await listener.events();
    expect(events.map(({ type }) => type)).toEqual([
      'platform.extension',
      'extension',
      'platform.telemetrySubscription',
    ]);
    expect(events[0]?.time).toBe(new Date(beganMs).toISOString());
    expect(events[2]?.record).toEqual({
      name: 'x',
      state: 'Subscribed',
      types: ['platform', 'function', 'extension'],
    });
  });

  test('what is kept for those who may still subscribe is bounded', async () => {
    const clock = new ManualClock();
    using listener = new ListenerFixture();
    using streams = new TelemetryStreams({ clock, connect: listener.connect });
    for (let index = 0; index < MAX_EARLY_EVENTS * 3; index += 1)
      streams.publishLog('function', 'x');
    for (let index = 0; index < 100; index += 1) {
      streams.publishLog('function', 'y'.repeat(100_000));
    }
    streams.subscribe('x', {
      ...SUBSCRIPTION,
      buffering: { ...SUBSCRIPTION.buffering, maxItems: 10_000 },
    });
    await streams.flush(1_000);
    expect(await listener.events()).toHaveLength(MAX_EARLY_EVENTS + 1);
  });

  test('are of no use to anybody once nobody has subscribed in time', () => {
    using streams = new TelemetryStreams({
      clock: new ManualClock(),
      connect: () => Promise.reject(new Error('nobody is to be connected to')),
    });
    streams.closeSubscriptions();
    expect([streams.isOpen, streams.isInUse]).toEqual([false, false]);
    expect(() => streams.subscribe('x', SUBSCRIPTION)).toThrow('subscriptions are closed');
    streams.publish(start({ requestId: 'r' }));
  });

  test('each subscriber has its own schema, destination and pace', async () => {
    const clock = new ManualClock();
    using one = new ListenerFixture();
    using other = new ListenerFixture();
    using streams = new TelemetryStreams({
      clock,
      connect: (port, signal) => (port === 1 ? one : other).connect(port, signal),
    });
    const to = (port: number) => ({ ...SUBSCRIPTION.destination, port });
    streams.subscribe('one', { ...SUBSCRIPTION, destination: to(1) });
    streams.subscribe('other', {
      ...SUBSCRIPTION,
      api: 'logs',
      schema: '2020-08-15',
      types: ['platform'],
      destination: to(2),
    });
    one.refuses = true;
    streams.publishLog('function', 'for one alone');
    await streams.flush(1_000);
    const { method, body } = await other.batch();
    expect(method).toBe('PUT');
    expect(body).toContain('platform.logsSubscription');
    expect(body).not.toContain('for one alone');
    expect(one.unread).toBe(0);
  });

  test('a flush takes no longer than it may', async () => {
    const clock = new ManualClock();
    using listener = new ListenerFixture();
    listener.answers = false;
    using streams = new TelemetryStreams({ clock, connect: listener.connect });
    streams.subscribe('x', SUBSCRIPTION);
    const flushed = streams.flush(300);
    await listener.batch();
    clock.advance(300);
    await flushed;
    expect(listener.open.size).toBe(1);
  });

  test('an object of the JSON log format stays one, and one that cannot be written is left out', async () => {
    const clock = new ManualClock();
    using listener = new ListenerFixture();
    using streams = new TelemetryStreams({ clock, connect: listener.connect });
    streams.subscribe('x', { ...SUBSCRIPTION, types: ['function'] });
    const endless: Record<string, unknown> = {};
    endless['self'] = endless;
    const records: LogRecord[] = [{ level: 'INFO' }, endless, 'text'];
    for (const record of records) streams.publishLog('function', record);
    await streams.flush(1_000);
    expect((await listener.events()).map(({ record }) => record)).toEqual([
      { level: 'INFO' },
      'text',
    ]);
  });
});

describe('TCP', () => {
  const TCP: TelemetrySubscription = {
    ...SUBSCRIPTION,
    types: ['function'],
    destination: { protocol: 'TCP', port: 4243 },
  };

  test('events are lines of JSON on one connection', async () => {
    const clock = new ManualClock();
    const listener = new TcpFixture();
    using streams = new TelemetryStreams({ clock, connect: listener.connect });
    streams.subscribe('x', TCP);
    for (const record of ['a\nb', 'c']) {
      streams.publishLog('function', record);
      clock.advance(25);
      await turns();
    }
    expect(listener.records).toEqual(['a\nb', 'c']);
    expect(listener.attempts).toEqual([4243]);
  });

  test('a connection that broke is made anew, and the batch sent again', async () => {
    const clock = new ManualClock();
    const listener = new TcpFixture();
    using streams = new TelemetryStreams({ clock, connect: listener.connect });
    streams.subscribe('x', TCP);
    streams.publishLog('function', 'one');
    await streams.flush(1_000);
    listener.ends[0]?.destroy();
    await turns();
    streams.publishLog('function', 'two');
    await streams.flush(1_000);
    clock.advance(10_000);
    await turns();
    expect(new Set(listener.records)).toEqual(new Set(['one', 'two']));
    expect(listener.attempts.length).toBeGreaterThan(1);
  });

  test('a listener that does not read costs a bounded queue', async () => {
    const clock = new ManualClock();
    const [near, far] = duplexPair();
    using streams = new TelemetryStreams({ clock, connect: () => Promise.resolve(near) });
    streams.subscribe('x', TCP);
    for (let index = 0; index < 100; index += 1) {
      streams.publishLog('function', 'x'.repeat(100_000));
      clock.advance(25);
      await turns(2);
    }
    expect(near.writableLength).toBeLessThan(400_000);
    far.destroy();
  });

  test('dispose closes the connection', async () => {
    const listener = new TcpFixture();
    const streams = new TelemetryStreams({ clock: new ManualClock(), connect: listener.connect });
    streams.subscribe('x', TCP);
    streams.publishLog('function', 'one');
    await streams.flush(1_000);
    const [end] = listener.ends;
    streams[Symbol.dispose]();
    if (end !== undefined) await once(end, 'end');
    expect(end?.readableEnded).toBe(true);
  });
});

describe('a hostile listener', () => {
  test.each([
    ['garbage', 'garbage\r\n\r\n'],
    ['endless headers', `HTTP/1.1 200 OK\r\n${'X: y\r\n'.repeat(100_000)}`],
    [
      'a switch of protocols',
      'HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\n',
    ],
    ['two lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n'],
    ['nothing', ''],
  ])('that answers with %s costs an attempt', async (_, answer) => {
    const clock = new ManualClock();
    let attempts = 0;
    using streams = new TelemetryStreams({
      clock,
      connect: () => {
        attempts += 1;
        const [near, far] = duplexPair();
        far.on('error', () => {});
        far.once('data', () => far.end(answer));
        return Promise.resolve(near);
      },
    });
    streams.subscribe('x', SUBSCRIPTION);
    await streams.flush(60_000);
    expect(attempts).toBe(1);
    clock.advance(100);
    await turns();
    expect(attempts).toBe(2);
  });
});

test('without streams both APIs say that they are not supported', async () => {
  const clock = new ManualClock();
  const routes = new TelemetryRoutes(new ExtensionRegistry(clock), undefined);
  const server = createHttpServer((request, response) => {
    if (!routes.handle(request, response)) response.writeHead(404).end();
  });
  for (const [path, title] of [
    ['/2022-07-01/telemetry', 'Telemetry'],
    ['/2020-08-15/logs', 'Logs'],
  ]) {
    const [near, far] = duplexPair();
    server.emit('connection', far);
    near.write(
      `PUT ${path} HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}`,
    );
    const answer = (await near.toArray()).join('');
    expect(answer).toContain('202 Accepted');
    expect(answer).toContain(
      `{"errorMessage":"${title} API is not supported","errorType":"${title}.NotSupported"}`,
    );
  }
  server.close();
});
