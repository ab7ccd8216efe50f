import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import { sampleFunction } from '../store/function-store-contract.ts';
import { MemoryFunctionStore } from '../store/memory/memory-function-store.ts';
import { CachedFunctionRegistry } from './cached-function-registry.ts';
import { FunctionActivation } from './function-activation.ts';

const PENDING: Partial<FunctionVersion> = {
  state: 'Pending',
  stateReason: 'The function is being created.',
  stateReasonCode: 'Creating',
  lastUpdateStatus: 'InProgress',
};
const UPDATING: Partial<FunctionVersion> = {
  lastUpdateStatus: 'InProgress',
  lastUpdateStatusReason: 'The function is being created.',
  lastUpdateStatusReasonCode: 'Creating',
};

async function setUp(version: FunctionVersion, hasCode = true) {
  const store = new MemoryFunctionStore();
  await store.insert(version);
  const registry = await CachedFunctionRegistry.load(store);
  const clock = new ManualClock();
  const faults: unknown[] = [];
  const activation = new FunctionActivation({
    registry,
    codeStore: { has: (sha256) => Promise.resolve(hasCode && sha256 !== 'gone') },
    clock,
    onFault: (error) => faults.push(error),
  });
  const nextChange = (): Promise<void> =>
    new Promise((resolve) => {
      const stop = registry.onChange(() => {
        stop();
        resolve();
      });
    });
  return { store, registry, clock, activation, faults, nextChange };
}

async function resumed(
  version: FunctionVersion,
  hasCode = true,
): Promise<FunctionVersion | undefined> {
  const { registry, clock, activation, nextChange } = await setUp(version, hasCode);
  activation.resume();
  const changed = nextChange();
  clock.advance(0);
  await changed;
  return registry.get(version);
}

describe('FunctionActivation after a restart', () => {
  test('a creation that was cut short is finished', async () => {
    const after = await resumed(sampleFunction(PENDING));
    expect(after).toEqual(sampleFunction({ revisionId: after?.revisionId ?? '' }));
    expect(after?.revisionId).not.toBe('revision-1');
  });

  test('an update that was cut short is finished, of the same generation', async () => {
    const after = await resumed(sampleFunction(UPDATING));
    expect(after).toEqual(sampleFunction({ revisionId: after?.revisionId ?? '' }));
  });

  test('a creation whose layer is gone has failed, and says which', async () => {
    const layer = { arn: 'arn:l:1', sizeBytes: 1 };
    const layers = [
      { ...layer, sha256: 'there' },
      { ...layer, arn: 'arn:l:2', sha256: 'gone' },
    ];
    expect(await resumed(sampleFunction({ ...PENDING, layers }))).toMatchObject({
      state: 'Failed',
      stateReason:
        "The content of layer arn:l:2 is not on this server. Update the function's layers to recover.",
    });
    expect(await resumed(sampleFunction({ ...PENDING, layers: layers.slice(0, 1) }))).toMatchObject(
      {
        state: 'Active',
      },
    );
  });

  test('a creation whose code is gone has failed', async () => {
    expect(await resumed(sampleFunction(PENDING), false)).toMatchObject({
      state: 'Failed',
      stateReasonCode: 'InternalError',
      stateReason:
        'The code of the function is not on this server. Update the function code to recover.',
      lastUpdateStatus: 'Failed',
    });
  });

  test('an update whose code is gone has failed', async () => {
    expect(await resumed(sampleFunction(UPDATING), false)).toMatchObject({
      state: 'Active',
      lastUpdateStatus: 'Failed',
      lastUpdateStatusReasonCode: 'InternalError',
    });
  });

  test('code in a folder is there as long as the folder is', async () => {
    const directory = mkdtempSync(join(tmpdir(), 'hearth-activation-'));
    const pending = sampleFunction({ ...PENDING, code: { kind: 'hot-reload', directory } });
    expect(await resumed(pending)).toMatchObject({ state: 'Active' });
    rmSync(directory, { recursive: true });
    expect(await resumed(pending)).toMatchObject({ state: 'Failed' });
  });

  test('settled functions are left alone', async () => {
    const { activation, clock } = await setUp(sampleFunction());
    activation.resume();
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('FunctionActivation', () => {
  test('is tried again where it cannot be stored', async () => {
    const { store, registry, clock, activation, faults, nextChange } = await setUp(
      sampleFunction(PENDING),
    );
    const replace = store.replace.bind(store);
    const failed = Promise.withResolvers<void>();
    store.replace = () => {
      failed.resolve();
      return Promise.reject(new Error('disk full'));
    };
    activation.resume();
    clock.advance(0);
    await failed.promise;
    while (clock.pendingTimers === 0) await Promise.resolve();
    expect(faults).toHaveLength(1);
    store.replace = replace;
    const changed = nextChange();
    clock.advance(1_000);
    await changed;
    expect(registry.get(sampleFunction())).toMatchObject({ state: 'Active' });
  });

  test('does nothing after it is disposed', async () => {
    const { activation, clock } = await setUp(sampleFunction(PENDING));
    activation.resume();
    activation[Symbol.dispose]();
    activation.schedule(sampleFunction(PENDING));
    expect(clock.pendingTimers).toBe(0);
  });
});
