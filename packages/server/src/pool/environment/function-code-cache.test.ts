import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CodeCacheStore } from '../../artifacts/code-cache-store.ts';
import { removeTree } from '../../files/remove-tree.ts';
import { SystemClock } from '../../clock/system-clock.ts';
import { FRAME } from '../../runtime-api/framed/frame-codec.ts';
import type { FakeGuest } from '../../sandbox/fake/fake-driver.ts';
import { FREEZE_GRACE_MS, startPool, testVersion, type PlayedRuntime } from '../pool-fixture.ts';

let folder = '';
let store: CodeCacheStore;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'hearth-code-caches-'));
  store = await CodeCacheStore.open({
    root: join(folder, 'v8'),
    clock: new SystemClock(),
    onFault: (error) => {
      throw error;
    },
  });
});

afterEach(async () => {
  await store[Symbol.asyncDispose]();
  await removeTree(folder);
});

/** What each runtime was told of compiled code in INIT. */
interface Told {
  readonly codeCache: unknown;
  readonly collectCodeCache: unknown;
}

function start(answer: (runtime: number) => PlayedRuntime) {
  const told: Told[] = [];
  const pool = startPool(
    (runtime) => ({
      ...answer(runtime),
      onInitHeader: ({ codeCache, collectCodeCache }) =>
        void told.push({ codeCache, collectCodeCache }),
    }),
    { codeCaches: store },
  );
  return { pool, told };
}

/** Answers an event, and sends compiled code where `code` says so. */
function answering(code?: string): PlayedRuntime {
  return {
    onInvoke: (_guest, send, requestId) => {
      send(FRAME.response, { requestId }, Buffer.from('"ok"'));
      if (code !== undefined) send(FRAME.codeCache, { last: true }, Buffer.from(code));
    },
  };
}

const other = (generation: string) => testVersion({ generation });

describe("a function's compiled code", () => {
  test('is asked for from one environment, and shown to those that follow', async () => {
    const { pool, told } = start((runtime) => answering(runtime === 1 ? 'compiled' : undefined));
    await using under = pool;
    await under.invoke();
    await under.logged('REPORT');
    await store.settled();
    await under.invoke(other('second'));
    expect(told).toEqual([
      { codeCache: undefined, collectCodeCache: true },
      { codeCache: expect.stringContaining(folder), collectCodeCache: undefined },
    ]);
    const shown = under.guests.map(({ sandbox }) => sandbox.assignment?.cache);
    expect(shown).toEqual([undefined, expect.stringMatching(/[0-9a-f]{64}$/)]);
  });

  test('another function, other code, layers, flags and code in place do not get it', async () => {
    const { pool, told } = start((runtime) => answering(runtime === 1 ? 'compiled' : undefined));
    await using under = pool;
    await under.invoke();
    await under.logged('REPORT');
    await store.settled();
    const layers = [{ arn: 'arn', sha256: 'layer', sizeBytes: 1 }];
    const code = { kind: 'archive', sha256: 'other', sizeBytes: 1 } as const;
    for (const change of [
      { functionName: 'other' },
      { accountId: '111111111111' },
      { region: 'eu-central-1' },
      { code },
      { layers },
      { memoryMb: 256 },
      { environment: { NODE_OPTIONS: '--no-opt' } },
    ]) {
      await under.invoke(testVersion({ generation: JSON.stringify(change), ...change }));
      expect(told.at(-1)).toEqual({ codeCache: undefined, collectCodeCache: true });
    }
    expect(under.guests.filter(({ sandbox }) => sandbox.assignment?.cache !== undefined)).toEqual(
      [],
    );
  });

  test('where it does not come, the environment is frozen in the end, and another is asked', async () => {
    const { pool, told } = start(() => answering());
    await using under = pool;
    await under.invoke();
    await under.logged('REPORT');
    under.clock.advance(FREEZE_GRACE_MS);
    expect(under.states()).toEqual(['ready']);
    await under.invoke(other('second'));
    await under.logged('REPORT RequestId: request-2');
    expect(told.at(-1)?.collectCodeCache).toBeUndefined();
    under.clock.advance(500);
    under.clock.advance(FREEZE_GRACE_MS);
    expect(under.states()).toEqual(['frozen', 'frozen']);
    await under.invoke(other('third'));
    expect(told.at(-1)?.collectCodeCache).toBe(true);
  });

  test('an environment that has sent it is frozen as always', async () => {
    const { pool } = start(() => answering('compiled'));
    await using under = pool;
    await under.invoke();
    await under.logged('REPORT');
    await store.settled();
    under.clock.advance(FREEZE_GRACE_MS);
    expect(under.states()).toEqual(['frozen']);
  });

  test.each([
    [
      'is told not to fit',
      (send: (type: number, header: object) => void) =>
        send(FRAME.ready, { codeCache: 'rejected' }),
    ],
    ['ends the process', (_send: unknown, guest: FakeGuest) => guest.exit(139)],
  ])('that %s is not used again', async (_, fail) => {
    const { pool, told } = start((runtime) =>
      runtime === 2
        ? { ...answering(), onInit: (guest, send) => fail(send, guest) }
        : answering(runtime === 1 ? 'compiled' : undefined),
    );
    await using under = pool;
    await under.invoke();
    await under.logged('REPORT');
    await store.settled();
    await under.invoke(other('second'));
    await under.invoke(other('third'));
    expect(told.map(({ codeCache }) => codeCache)).toEqual(
      told.map((_told, i) => (i === 1 ? expect.stringContaining(folder) : undefined)),
    );
  });
});
