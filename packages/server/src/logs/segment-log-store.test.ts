import { appendFile, mkdtemp, readdir, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import type { SegmentLogLimits } from './log-limits.ts';
import { describeLogStore } from './log-store-contract.ts';
import { SegmentLogStore } from './segment-log-store.ts';

const GROUP = { accountId: '000000000000', region: 'us-east-1', logGroupName: '/aws/lambda/hello' };
const OTHER = { ...GROUP, logGroupName: '/aws/lambda/other' };

async function openInNewFolder(limits: Partial<SegmentLogLimits> = {}) {
  const outer = await mkdtemp(join(tmpdir(), 'hearth-logs-'));
  const directory = join(outer, 'logs');
  const clock = new ManualClock(1_000);
  const faults: Error[] = [];
  const open = () =>
    SegmentLogStore.open({ directory, clock, limits, onFault: (error) => faults.push(error) });
  const store = await open();
  return {
    store,
    open,
    directory,
    clock,
    faults,
    async [Symbol.asyncDispose]() {
      await store[Symbol.asyncDispose]();
      await rm(outer, { recursive: true, force: true });
    },
  };
}

type Fixture = Awaited<ReturnType<typeof openInNewFolder>>;

function say(store: SegmentLogStore, message: string, group = GROUP, stream = 's'): void {
  store.append(group, stream, { timestampMs: 1, message });
}

async function messages(store: SegmentLogStore, group = GROUP): Promise<string[]> {
  return (await store.read(group, {})).map(({ message }) => message);
}

/** All segment files, oldest first. */
async function segmentPaths({ directory }: Fixture): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names
    .filter((name) => name.endsWith('.jsonl'))
    .sort()
    .map((name) => join(directory, name));
}

/** The only segment file there is. */
async function segmentPath(under: Fixture): Promise<string> {
  const [path] = await segmentPaths(under);
  if (path === undefined) throw new Error('no segment was written');
  return path;
}

/** Makes every write of the group fail: its folder becomes a file. */
async function breakGroup(under: Fixture): Promise<() => Promise<void>> {
  const [name] = await readdir(under.directory);
  const path = join(under.directory, name ?? '');
  await rm(path, { recursive: true });
  await writeFile(path, '');
  return () => rm(path);
}

describeLogStore('SegmentLogStore', () => openInNewFolder());

describe('SegmentLogStore', () => {
  test('append writes nothing by itself; the interval does', async () => {
    await using under = await openInNewFolder();
    const seen = Promise.withResolvers<string>();
    under.store.follow(GROUP, ({ message }) => seen.resolve(message));
    say(under.store, 'a');
    expect(await segmentPaths(under)).toEqual([]);
    expect(under.clock.pendingTimers).toBe(1);
    under.clock.advance(50);
    expect(await seen.promise).toBe('a');
    expect(await readFile(await segmentPath(under), 'utf8')).toBe('{"t":1,"s":"s","m":"a"}\n');
  });

  test('much that waits is written before the interval', async () => {
    await using under = await openInNewFolder();
    const seen = Promise.withResolvers<number>();
    under.store.follow(GROUP, ({ message }) => seen.resolve(message.length));
    for (let index = 0; index < 20; index += 1) say(under.store, 'x'.repeat(50_000));
    expect(await seen.promise).toBe(50_000);
  });

  test('logs are there after a restart, and go on', async () => {
    await using under = await openInNewFolder();
    say(under.store, 'first');
    await under.store[Symbol.asyncDispose]();
    await using again = await under.open();
    say(again, 'second');
    expect(await messages(again)).toEqual(['first', 'second']);
    expect(await segmentPaths(under)).toHaveLength(1);
  });

  test.each([
    ['inside the last line', 5],
    ['before its line break', 1],
  ])('a crash %s loses that line only', async (_, missingBytes) => {
    await using under = await openInNewFolder();
    say(under.store, 'whole');
    say(under.store, 'torn');
    await under.store.flush();
    const path = await segmentPath(under);
    await truncate(path, (await readFile(path)).length - missingBytes);
    await using again = await under.open();
    say(again, 'after');
    const kept = missingBytes === 1 ? ['whole', 'torn', 'after'] : ['whole', 'after'];
    expect(await messages(again)).toEqual(kept);
  });

  test('what is no event in a file is passed over', async () => {
    await using under = await openInNewFolder();
    say(under.store, 'a');
    await under.store[Symbol.asyncDispose]();
    const path = await segmentPath(under);
    await appendFile(
      path,
      'null\n[]\n{"t":"1","s":"s","m":"m"}\n\n\0\0\0\n{"t":2,"s":"s","m":"b"}\n',
    );
    await using again = await under.open();
    expect(await messages(again)).toEqual(['a', 'b']);
  });

  test('a file that somebody else changed or removed is left alone', async () => {
    await using under = await openInNewFolder();
    say(under.store, 'a');
    await under.store.flush();
    await rm(await segmentPath(under));
    say(under.store, 'b');
    expect(await messages(under.store)).toEqual(['b']);
    expect(under.faults).toEqual([]);
  });

  test('reads that end on any block boundary lose and double nothing', async () => {
    await using under = await openInNewFolder();
    const expected: string[] = [];
    for (let index = 0; index < 400; index += 1) {
      const message = `${index}:${'x'.repeat((index * 7_919) % 2_000)}`;
      expected.push(message);
      say(under.store, message);
    }
    say(under.store, '\0'.repeat(200_000));
    expect((await messages(under.store)).slice(0, 400)).toEqual(expected);
    expect((await under.store.read(GROUP, { limit: 2 })).map((e) => e.message.length)).toEqual([
      expected[399]?.length,
      200_000,
    ]);
  });

  test('a group keeps to its disk limit by losing its oldest files', async () => {
    await using under = await openInNewFolder({ segmentBytes: 1_000, groupBytes: 3_000 });
    for (let index = 0; index < 100; index += 1) {
      say(under.store, `${index}-${'x'.repeat(70)}`);
      await under.store.flush();
    }
    const kept = await messages(under.store);
    expect(kept.at(-1)).toBe(`99-${'x'.repeat(70)}`);
    expect(kept).toHaveLength(30);
    expect((await segmentPaths(under)).length).toBeLessThanOrEqual(4);
  });

  test('all groups keep to the total by losing what was written to longest ago', async () => {
    await using under = await openInNewFolder({ segmentBytes: 500, totalBytes: 2_000 });
    const groups = Array.from({ length: 10 }, (_, index) => ({
      ...GROUP,
      logGroupName: `/g/${index}`,
    }));
    for (const group of groups) {
      say(under.store, 'x'.repeat(370), group);
      await under.store.flush();
    }
    const present = await Promise.all(groups.map((group) => messages(under.store, group)));
    expect(present.map((events) => events.length)).toEqual([0, 0, 0, 0, 0, 1, 1, 1, 1, 1]);
  });

  test('files of an earlier server count', async () => {
    await using under = await openInNewFolder({ segmentBytes: 500, totalBytes: 900 });
    say(under.store, 'x'.repeat(400));
    say(under.store, 'y'.repeat(400), OTHER);
    await under.store[Symbol.asyncDispose]();
    await using again = await under.open();
    say(again, 'z'.repeat(400), OTHER);
    await again.flush();
    expect(await messages(again)).toEqual([]);
    expect(await messages(again, OTHER)).toHaveLength(2);
  });

  test('segments that are too old are not read', async () => {
    await using under = await openInNewFolder({ segmentBytes: 100 });
    for (let timestampMs = 1; timestampMs <= 5; timestampMs += 1) {
      under.store.append(GROUP, 's', { timestampMs, message: 'x'.repeat(70) });
      await under.store.flush();
    }
    const paths = await segmentPaths(under);
    expect(paths).toHaveLength(5);
    // Were the old files read, this line would be found.
    const length = (await readFile(paths[0] ?? '')).length;
    const forged = '{"t":9,"s":"s","m":"read"}'.padEnd(length - 1).concat('\n');
    await writeFile(paths[0] ?? '', forged);
    const found = await under.store.read(GROUP, { fromMs: 4 });
    expect(found.map(({ timestampMs }) => timestampMs)).toEqual([4, 5]);
  });

  test('past the memory limit events are dropped, and a line there says how many', async () => {
    await using under = await openInNewFolder({ groupQueueBytes: 1_000 });
    for (let index = 0; index < 10; index += 1) say(under.store, String(index));
    say(under.store, 'elsewhere', OTHER);
    expect(await messages(under.store)).toEqual([
      '0',
      '1',
      '2',
      '[hearth] 7 log events were dropped here: the queue of the log was full',
    ]);
    expect(await messages(under.store, OTHER)).toEqual(['elsewhere']);
    say(under.store, 'room again');
    expect((await messages(under.store)).at(-1)).toBe('room again');
  });

  test('each stream is told of its own losses', async () => {
    await using under = await openInNewFolder({ queueBytes: 600 });
    say(under.store, '1', GROUP, 'a');
    say(under.store, '2', GROUP, 'b');
    say(under.store, '3', GROUP, 'a');
    say(under.store, '4', GROUP, 'b');
    say(under.store, '5', GROUP, 'b');
    const events = await under.store.read(GROUP, {});
    expect(events.map((event) => [event.logStreamName, event.message.slice(0, 20)])).toEqual([
      ['a', '1'],
      ['b', '2'],
      ['a', '[hearth] 1 log event'],
      ['b', '[hearth] 2 log event'],
    ]);
  });

  test('one enormous message is dropped, not split', async () => {
    await using under = await openInNewFolder();
    say(under.store, 'x'.repeat(100_000_000));
    expect(await messages(under.store)).toEqual([
      '[hearth] 1 log event was dropped here: the queue of the log was full',
    ]);
  });

  test('when writing fails: one report, a count in the log, and it recovers', async () => {
    await using under = await openInNewFolder();
    say(under.store, 'lost with its folder');
    await under.store.flush();
    const repair = await breakGroup(under);
    say(under.store, 'a');
    say(under.store, 'b');
    await under.store.flush();
    say(under.store, 'c');
    await under.store.flush();
    expect(under.faults).toHaveLength(1);
    say(under.store, 'other groups go on', OTHER);
    expect(await messages(under.store, OTHER)).toEqual(['other groups go on']);

    await repair();
    say(under.store, 'd');
    expect(await messages(under.store)).toEqual([
      expect.stringMatching(
        /^\[hearth\] 3 log events were dropped here: they could not be written/,
      ),
      'd',
    ]);
    await breakGroup(under);
    say(under.store, 'e');
    await under.store.flush();
    expect(under.faults).toHaveLength(2);
  });

  test('a write that failed is tried again without another event', async () => {
    await using under = await openInNewFolder();
    say(under.store, 'a');
    await under.store.flush();
    const repair = await breakGroup(under);
    const seen = Promise.withResolvers<string>();
    under.store.follow(GROUP, ({ message }) => seen.resolve(message));
    say(under.store, 'b');
    await under.store.flush();
    await repair();
    under.clock.advance(1_000);
    expect(await seen.promise).toContain('1 log event was dropped');
  });

  test('a listener that throws stops neither the writing nor the others', async () => {
    await using under = await openInNewFolder();
    const seen: string[] = [];
    under.store.follow(GROUP, () => {
      throw new Error('listener');
    });
    under.store.follow(GROUP, ({ message }) => seen.push(message));
    say(under.store, 'a');
    expect(await messages(under.store)).toEqual(['a']);
    expect(seen).toEqual(['a']);
    expect(under.faults).toHaveLength(1);
  });

  test('after dispose no timer is left', async () => {
    await using under = await openInNewFolder();
    say(under.store, 'a');
    await under.store[Symbol.asyncDispose]();
    expect(under.clock.pendingTimers).toBe(0);
  });
});
