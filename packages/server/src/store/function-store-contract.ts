import { describe, expect, test } from 'vitest';
import type { FunctionVersion } from '../domain/function.ts';
import type { FunctionStore } from './function-store.ts';

/** A function with every kind of setting; `changes` go on top. */
export function sampleFunction(changes: Partial<FunctionVersion> = {}): FunctionVersion {
  return {
    accountId: '000000000000',
    region: 'us-east-1',
    functionName: 'hello',
    version: '$LATEST',
    generation: 'generation-1',
    revisionId: 'revision-1',
    code: { kind: 'archive', sha256: 'abc=', sizeBytes: 3 },
    runtime: 'nodejs22.x',
    handler: 'index.handler',
    role: 'arn:aws:iam::000000000000:role/r',
    description: 'é "quoted" \u2028',
    timeoutSeconds: 3,
    memoryMb: 128,
    ephemeralStorageMb: 512,
    architecture: 'x86_64',
    environment: { A1: '1' },
    logGroupName: '/aws/lambda/hello',
    tracingMode: 'PassThrough',
    state: 'Active',
    lastUpdateStatus: 'Successful',
    lastModifiedMs: 1_767_225_600_000,
    tags: { team: 'a' },
    ...changes,
  };
}

/** What every FunctionStore does. `use` runs a test on an empty store and cleans up after it. */
export function describeFunctionStore(
  name: string,
  use: (test: (store: FunctionStore) => Promise<void>) => Promise<void>,
): void {
  const facts: Record<string, (store: FunctionStore) => Promise<void>> = {
    'an empty store has no functions': async (store) => {
      expect(await store.loadAll()).toEqual([]);
    },
    'what was inserted is loaded as it was': async (store) => {
      const hotReload = sampleFunction({
        functionName: 'other',
        code: { kind: 'hot-reload', directory: '/src' },
        state: 'Failed',
        stateReason: 'gone',
      });
      expect(await store.insert(sampleFunction())).toBe(true);
      expect(await store.insert(hotReload)).toBe(true);
      const loaded = await store.loadAll();
      expect(loaded.sort((a, b) => (a.functionName < b.functionName ? -1 : 1))).toEqual([
        sampleFunction(),
        hotReload,
      ]);
    },
    'a name can be taken once in an account and region': async (store) => {
      expect(await store.insert(sampleFunction())).toBe(true);
      expect(await store.insert(sampleFunction({ description: 'second' }))).toBe(false);
      expect(await store.insert(sampleFunction({ region: 'eu-west-1' }))).toBe(true);
      expect(await store.insert(sampleFunction({ accountId: '123456789012' }))).toBe(true);
      const descriptions = (await store.loadAll()).map(({ description }) => description);
      expect(descriptions).toHaveLength(3);
      expect(descriptions).not.toContain('second');
    },
    'only the revision that is named is replaced': async (store) => {
      await store.insert(sampleFunction());
      const next = sampleFunction({ revisionId: 'revision-2', timeoutSeconds: 9 });
      expect(await store.replace(next, 'revision-0')).toBe(false);
      expect(await store.loadAll()).toEqual([sampleFunction()]);
      expect(await store.replace(next, 'revision-1')).toBe(true);
      expect(await store.replace(next, 'revision-1')).toBe(false);
      expect(await store.loadAll()).toEqual([next]);
    },
    'of many replacements of one revision one wins': async (store) => {
      await store.insert(sampleFunction());
      const results = await Promise.all(
        Array.from({ length: 20 }, (_, index) =>
          store.replace(sampleFunction({ revisionId: `next-${index}` }), 'revision-1'),
        ),
      );
      expect(results.filter(Boolean)).toHaveLength(1);
    },
    'a function that does not exist is not replaced': async (store) => {
      expect(await store.replace(sampleFunction(), 'revision-1')).toBe(false);
      expect(await store.loadAll()).toEqual([]);
    },
    'a deleted function is gone, and its name free': async (store) => {
      await store.insert(sampleFunction());
      expect(await store.delete(sampleFunction())).toBe(true);
      expect(await store.delete(sampleFunction())).toBe(false);
      expect(await store.loadAll()).toEqual([]);
      expect(await store.insert(sampleFunction())).toBe(true);
    },
  };
  describe(`FunctionStore: ${name}`, () => {
    test.each(Object.entries(facts))('%s', async (_fact, run) => {
      await expect(use(run)).resolves.toBeUndefined();
    });
  });
}
