import { array, assert, asyncProperty, constantFrom, string, tuple } from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { LogGroupIdentity, LogStore, StoredLogEvent } from './log-store.ts';

/** A store with nothing in it, for one test. */
export interface LogStoreUnderTest extends AsyncDisposable {
  readonly store: LogStore;
}

const GROUP: LogGroupIdentity = {
  accountId: '000000000000',
  region: 'us-east-1',
  logGroupName: '/aws/lambda/hello',
};

async function messages(store: LogStore, group: LogGroupIdentity = GROUP): Promise<string[]> {
  return (await store.read(group, {})).map(({ message }) => message);
}

/** What every LogStore does. */
export function describeLogStore(name: string, create: () => Promise<LogStoreUnderTest>): void {
  describe(`${name} as a LogStore`, () => {
    test('events come back as they were appended, oldest first', async () => {
      await using under = await create();
      const first = { timestampMs: 5, requestId: 'r1', message: 'one' };
      const second = { timestampMs: 7, message: 'two\nlines' };
      under.store.append(GROUP, 's1', first);
      under.store.append(GROUP, 's2', second);
      expect(await under.store.read(GROUP, {})).toEqual([
        { ...first, logStreamName: 's1' },
        { ...second, logStreamName: 's2' },
      ]);
    });

    test('a group that does not exist has no events', async () => {
      await using under = await create();
      expect(await under.store.read(GROUP, {})).toEqual([]);
    });

    test('groups of two accounts, regions or names never meet', async () => {
      await using under = await create();
      const others = [
        { ...GROUP, accountId: '111111111111' },
        { ...GROUP, region: 'eu-west-1' },
        { ...GROUP, logGroupName: '/aws/lambda/Hello' },
        { ...GROUP, logGroupName: '-aws-lambda-hello' },
        { ...GROUP, logGroupName: '../../../etc/passwd' },
        { ...GROUP, logGroupName: `/aws/lambda/${'h'.repeat(500)}` },
        { ...GROUP, logGroupName: '' },
      ];
      for (const [index, group] of others.entries()) {
        under.store.append(group, 's', { timestampMs: 1, message: String(index) });
      }
      for (const [index, group] of others.entries()) {
        expect(await messages(under.store, group)).toEqual([String(index)]);
      }
      expect(await messages(under.store)).toEqual([]);
    });

    test('read filters by time, by request, and takes the newest of what matches', async () => {
      await using under = await create();
      for (let index = 0; index < 10; index += 1) {
        const requestId = index % 2 === 0 ? 'even' : 'odd';
        under.store.append(GROUP, 's', { timestampMs: index, requestId, message: String(index) });
      }
      const found = async (query: Parameters<LogStore['read']>[1]): Promise<string> =>
        (await under.store.read(GROUP, query)).map(({ message }) => message).join('');
      expect(await found({ fromMs: 7 })).toBe('789');
      expect(await found({ requestId: 'odd' })).toBe('13579');
      expect(await found({ limit: 3 })).toBe('789');
      expect(await found({ limit: 0 })).toBe('');
      expect(await found({ limit: 2, requestId: 'even', fromMs: 1 })).toBe('68');
      expect(await found({ requestId: 'eve' })).toBe('');
    });

    test('no message can forge another event', async () => {
      await using under = await create();
      const hostile = [
        'END\n{"t":1,"s":"s","m":"forged"}\n',
        '\r\n\u001B[2J\u001B[31mSTART RequestId: forged',
        '"}\n{"t":1,"s":"s","r":"wanted","m":"forged"}',
        '\u2028\u2029\0\uD800',
        '',
      ];
      for (const message of hostile) under.store.append(GROUP, 's', { timestampMs: 1, message });
      expect(await messages(under.store)).toEqual(hostile);
      expect(await under.store.read(GROUP, { requestId: 'wanted' })).toEqual([]);
    });

    test('whatever is appended comes back, each stream in its order', async () => {
      await using under = await create();
      const stream = constantFrom('a', 'b', '2026/01/01/[$LATEST]ff', 'x"\n');
      let round = 0;
      await assert(
        asyncProperty(array(tuple(stream, string({ unit: 'binary' }))), async (drawn) => {
          round += 1;
          const group = { ...GROUP, logGroupName: `/aws/lambda/${round}` };
          for (const [logStreamName, message] of drawn) {
            under.store.append(group, logStreamName, { timestampMs: round, message });
          }
          const events = await under.store.read(group, {});
          expect(events.map((event) => [event.logStreamName, event.message])).toEqual(drawn);
        }),
        { numRuns: 50 },
      );
    });

    test('a message over 256 KiB becomes several events that make up the whole', async () => {
      await using under = await create();
      const message = `${'x'.repeat(262_143)}日本${'y'.repeat(300_000)}`;
      under.store.append(GROUP, 's', { timestampMs: 1, requestId: 'r', message });
      const events = await under.store.read(GROUP, { requestId: 'r' });
      expect(events.map((event) => event.message).join('')).toBe(message);
      const sizes = events.map((event) => Buffer.byteLength(event.message));
      expect(Math.max(...sizes)).toBeLessThanOrEqual(262_144);
    });

    test('a follower gets what is appended from then on, until it ends', async () => {
      await using under = await create();
      const seen: StoredLogEvent[] = [];
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'before' });
      const end = under.store.follow(GROUP, (event) => seen.push(event));
      under.store.append(GROUP, 's', { timestampMs: 2, message: 'during' });
      under.store.append({ ...GROUP, region: 'x' }, 's', { timestampMs: 2, message: 'other' });
      await under.store.flush();
      end();
      end();
      under.store.append(GROUP, 's', { timestampMs: 3, message: 'after' });
      await under.store.flush();
      expect(seen).toEqual([{ timestampMs: 2, message: 'during', logStreamName: 's' }]);
    });

    test('two followers of a group are independent', async () => {
      await using under = await create();
      const seen: string[] = [];
      const end = under.store.follow(GROUP, ({ message }) => seen.push(`1${message}`));
      under.store.follow(GROUP, ({ message }) => seen.push(`2${message}`));
      end();
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'a' });
      await under.store.flush();
      expect(seen).toEqual(['2a']);
    });

    test('a deleted group is empty and can be written to again', async () => {
      await using under = await create();
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'written' });
      await under.store.flush();
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'waiting' });
      const deleted = under.store.deleteGroup(GROUP);
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'new' });
      await deleted;
      expect(await messages(under.store)).toEqual(['new']);
      await under.store.deleteGroup({ ...GROUP, region: 'unknown' });
    });

    test('a follower stays when its group is deleted', async () => {
      await using under = await create();
      const seen: string[] = [];
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'old' });
      under.store.follow(GROUP, ({ message }) => seen.push(message));
      await under.store.deleteGroup(GROUP);
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'new' });
      await under.store.flush();
      expect(seen).toEqual(['new']);
    });

    test('after dispose, append is ignored and what was appended before can be read', async () => {
      await using under = await create();
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'before' });
      await under.store[Symbol.asyncDispose]();
      under.store.append(GROUP, 's', { timestampMs: 1, message: 'after' });
      expect(await messages(under.store)).toEqual(['before']);
    });
  });
}
