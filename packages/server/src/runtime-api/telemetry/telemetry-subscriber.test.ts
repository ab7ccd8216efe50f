import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ManualClock } from '../../clock/manual-clock.ts';
import { ListenerFixture, turns, type ReceivedEvent } from './listener-fixture.ts';
import type { TelemetrySubscription } from './subscription.ts';
import { TelemetryQueue } from './telemetry-queue.ts';
import {
  DELIVERY_TIMEOUT_MS,
  FIRST_BACKOFF_MS,
  MAX_BACKOFF_MS,
  TelemetrySubscriber,
} from './telemetry-subscriber.ts';

const SUBSCRIPTION: TelemetrySubscription = {
  api: 'telemetry',
  schema: '2025-01-29',
  types: ['platform', 'function'],
  buffering: { maxItems: 1_000, maxBytes: 262_144, timeoutMs: 1_000 },
  destination: {
    protocol: 'HTTP',
    method: 'POST',
    authority: 'sandbox.localdomain:8080',
    port: 8080,
    path: '/telemetry',
  },
};

let clock: ManualClock;
let listener: ListenerFixture;
let subscriber: TelemetrySubscriber;

beforeEach(() => {
  clock = new ManualClock();
  listener = new ListenerFixture();
  subscriber = new TelemetrySubscriber(SUBSCRIPTION, listener.connect, clock);
});

afterEach(async () => {
  subscriber[Symbol.dispose]();
  listener[Symbol.dispose]();
  await turns();
  const left = { timers: clock.pendingTimers, connections: listener.open.size };
  if (left.timers + left.connections > 0) throw new Error(`Left behind: ${JSON.stringify(left)}`);
});

function log(record: string, type: 'function' | 'extension' = 'function'): void {
  subscriber.offer({ timeMs: clock.nowMs(), type, record });
}

function records(events: readonly ReceivedEvent[]): unknown[] {
  return events.map(({ record }) => record);
}

describe('batches', () => {
  test('are sent when the first event has waited for the timeout, as a JSON array by POST', async () => {
    log('one');
    clock.advance(600);
    log('two');
    clock.advance(399);
    await turns();
    expect(listener.attempts).toEqual([]);
    clock.advance(1);
    const { method, url, headers, body } = await listener.batch();
    expect([method, url, headers.host]).toEqual(['POST', '/telemetry', 'sandbox.localdomain:8080']);
    expect(headers['content-type']).toBe('application/json');
    expect(records(JSON.parse(body) as ReceivedEvent[])).toEqual(['one', 'two']);
    expect(listener.attempts).toEqual([8080]);
  });

  test('are sent at once when they have maxItems', async () => {
    for (let index = 0; index < 1_000; index += 1) log(`${index}`);
    expect(await listener.events()).toHaveLength(1_000);
  });

  test('are sent at once when they have maxBytes, and hold no more', async () => {
    for (let index = 0; index < 5; index += 1) log('x'.repeat(60_000));
    const { body } = await listener.batch();
    expect(body.length).toBeLessThanOrEqual(262_144);
    await turns();
    clock.advance(1_000);
    expect(await listener.events()).toHaveLength(1);
  });

  test('hold only what was subscribed to', async () => {
    log('of an extension', 'extension');
    expect(clock.pendingTimers).toBe(0);
    log('of the function');
    clock.advance(1_000);
    expect(records(await listener.events())).toEqual(['of the function']);
  });

  test('go one at a time', async () => {
    listener.answers = false;
    for (let index = 0; index < 2_000; index += 1) log(`${index}`);
    const first = await listener.batch();
    await turns();
    expect(listener.attempts).toHaveLength(1);
    first.answer();
    await listener.batch();
    expect(listener.attempts).toHaveLength(2);
  });
});

describe('a listener that does not take a batch', () => {
  test('gets it again, after pauses that double up to a limit', async () => {
    listener.refuses = true;
    log('kept');
    clock.advance(1_000);
    await turns();
    let backoffMs = FIRST_BACKOFF_MS;
    for (let attempt = 2; attempt < 12; attempt += 1) {
      clock.advance(backoffMs - 1);
      await turns(3);
      expect(listener.attempts).toHaveLength(attempt - 1);
      clock.advance(1);
      await turns(3);
      expect(listener.attempts).toHaveLength(attempt);
      backoffMs = Math.min(MAX_BACKOFF_MS, backoffMs * 2);
    }
    listener.refuses = false;
    clock.advance(MAX_BACKOFF_MS);
    expect(records(await listener.events())).toEqual(['kept']);
  });

  test('gets it again when it answers with an error', async () => {
    listener.answers = false;
    log('again');
    clock.advance(1_000);
    (await listener.batch()).answer(500);
    await turns();
    clock.advance(FIRST_BACKOFF_MS);
    const second = await listener.batch();
    second.answer(204);
    expect(second.body).toContain('again');
    await turns();
    clock.advance(60_000);
    await turns();
    expect(listener.unread).toBe(0);
  });

  test('gets it again when it never answers', async () => {
    listener.answers = false;
    log('again');
    clock.advance(1_000);
    await listener.batch();
    clock.advance(DELIVERY_TIMEOUT_MS);
    await turns();
    expect(listener.open.size).toBe(0);
    clock.advance(FIRST_BACKOFF_MS);
    expect((await listener.batch()).body).toContain('again');
  });

  test('is told afterwards what was dropped meanwhile, which is bounded', async () => {
    listener.answers = false;
    for (let index = 0; index < 5_000; index += 1) log(`${index}`);
    const first = await listener.batch();
    listener.answers = true;
    first.answer();
    const second = await listener.events();
    const third = await listener.events();
    await turns();
    clock.advance(1_000);
    const rest = await listener.events();
    const all = [...second, ...third, ...rest];
    expect(records(all).slice(0, 2_000)).toEqual(
      Array.from({ length: 2_000 }, (_, index) => `${index + 1_000}`),
    );
    expect(all.at(-1)).toMatchObject({
      type: 'platform.logsDropped',
      record: {
        reason: 'Consumer seems to have fallen behind as it has not acknowledged receipt of logs.',
        droppedRecords: 2_000,
      },
    });
  });

  test('is cut off when its answer does not end', async () => {
    listener.answers = false;
    log('x');
    clock.advance(1_000);
    (await listener.batch()).answer(200, 'y'.repeat(1_000_000));
    await turns();
    expect(listener.open.size).toBe(0);
    log('z');
    clock.advance(1_000);
    expect((await listener.batch()).body).toContain('"z"');
  });
});

describe('while the environment is frozen', () => {
  test('nothing is begun, and what fell due meanwhile goes at once afterwards', async () => {
    log('one');
    subscriber.pause();
    for (let index = 0; index < 1_000; index += 1) log(`${index}`);
    clock.advance(3_600_000);
    await turns();
    expect(listener.attempts).toEqual([]);
    subscriber.resume();
    expect(await listener.events()).toHaveLength(1_000);
  });

  test('a timeout that has not passed goes on', async () => {
    log('one');
    clock.advance(400);
    subscriber.pause();
    clock.advance(300);
    subscriber.resume();
    clock.advance(299);
    await turns();
    expect(listener.attempts).toEqual([]);
    clock.advance(1);
    expect(records(await listener.events())).toEqual(['one']);
  });

  test('a listener that has not answered yet has its time afterwards', async () => {
    listener.answers = false;
    log('one');
    clock.advance(1_000);
    const batch = await listener.batch();
    subscriber.pause();
    clock.advance(3_600_000);
    subscriber.resume();
    clock.advance(DELIVERY_TIMEOUT_MS - 1);
    batch.answer();
    await turns();
    expect(listener.attempts).toHaveLength(1);
    clock.advance(60_000);
    await turns();
    expect(listener.attempts).toHaveLength(1);
  });
});

describe('flush', () => {
  test('sends all that waits and settles when it is taken', async () => {
    for (let index = 0; index < 1_500; index += 1) log(`${index}`);
    await subscriber.flush();
    expect([await listener.events(), await listener.events()].map(({ length }) => length)).toEqual([
      1_000, 500,
    ]);
  });

  test('settles where a listener is not there, and at once where nothing waits', async () => {
    await subscriber.flush();
    listener.refuses = true;
    log('x');
    await subscriber.flush();
    expect(listener.attempts).toHaveLength(1);
  });

  test('settles when the environment is frozen or goes', async () => {
    listener.answers = false;
    log('x');
    const frozen = subscriber.flush();
    await listener.batch();
    subscriber.pause();
    await frozen;
    subscriber.resume();
    const gone = subscriber.flush();
    subscriber[Symbol.dispose]();
    await gone;
    expect(listener.attempts).toHaveLength(1);
  });
});

test('subscribing again sends what waits to the new place', async () => {
  log('x');
  const { destination } = SUBSCRIPTION;
  if (destination.protocol !== 'HTTP') throw new Error('the subscription of the tests is for HTTP');
  subscriber.change({
    ...SUBSCRIPTION,
    destination: { ...destination, port: 9_999, path: '/new' },
  });
  clock.advance(1_000);
  expect((await listener.batch()).url).toBe('/new');
  expect(listener.attempts).toEqual([9_999]);
});

test('a queue keeps order, its bounds and an exact account of what it dropped', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), size: fc.nat(400) }),
    fc.constant({ kind: 'take' as const, size: 0 }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const limits = { maxItems: 5, maxBytes: 500, timeoutMs: 25 };
      const queue = new TelemetryQueue();
      const added: string[] = [];
      const taken: string[] = [];
      for (const [index, { kind, size }] of steps.entries()) {
        if (kind === 'add') {
          const text = `${index}:${'é'.repeat(size)}`;
          added.push(text);
          queue.add(text, limits);
          expect(queue.length).toBeLessThanOrEqual(limits.maxItems * 2);
          continue;
        }
        const batch = queue.take(limits);
        const bytes = batch.reduce((sum, text) => sum + Buffer.byteLength(text), 0);
        expect(batch.length).toBeLessThanOrEqual(limits.maxItems);
        if (batch.length > 1) expect(bytes).toBeLessThanOrEqual(limits.maxBytes);
        taken.push(...batch);
      }
      while (queue.length > 0) taken.push(...queue.take(limits));
      const dropped = queue.takeDropped() ?? { records: 0, bytes: 0 };
      const kept = new Set(taken);
      const missing = added.filter((text) => !kept.has(text));
      expect(taken).toEqual(added.filter((text) => kept.has(text)));
      expect(dropped).toEqual({
        records: missing.length,
        bytes: missing.reduce((sum, text) => sum + Buffer.byteLength(text), 0),
      });
    }),
  );
});
