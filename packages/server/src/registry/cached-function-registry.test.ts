import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { FunctionChange } from '../domain/function-registry.ts';
import type { FunctionVersion } from '../domain/function.ts';
import { sampleFunction } from '../store/function-store-contract.ts';
import { MemoryFunctionStore } from '../store/memory/memory-function-store.ts';
import { CachedFunctionRegistry } from './cached-function-registry.ts';

const IDENTITY = { accountId: '000000000000', region: 'us-east-1', functionName: 'hello' };

/** A store whose writes wait until they are let through. */
class SlowStore extends MemoryFunctionStore {
  readonly gate = Promise.withResolvers<void>();

  override async insert(version: FunctionVersion): Promise<boolean> {
    await this.gate.promise;
    return super.insert(version);
  }
}

describe('CachedFunctionRegistry', () => {
  test('has what the store has', async () => {
    const store = new MemoryFunctionStore();
    await store.insert(sampleFunction());
    const registry = await CachedFunctionRegistry.load(store);
    expect(registry.get(IDENTITY)).toEqual(sampleFunction());
    expect([...registry.all()]).toHaveLength(1);
  });

  test('a function is seen once it is stored, not before', async () => {
    const store = new SlowStore();
    const registry = await CachedFunctionRegistry.load(store);
    const inserted = registry.insert(sampleFunction());
    expect(registry.get(IDENTITY)).toBeUndefined();
    store.gate.resolve();
    await inserted;
    expect(registry.get(IDENTITY)).toBeDefined();
  });

  test('a write that the store fails changes nothing, and the next one is served', async () => {
    const store = new MemoryFunctionStore();
    const registry = await CachedFunctionRegistry.load(store);
    const insert = store.insert.bind(store);
    store.insert = () => Promise.reject(new Error('disk full'));
    const failed = registry.insert(sampleFunction());
    const next = registry.insert(sampleFunction({ description: 'next' }));
    await expect(failed).rejects.toThrow('disk full');
    await expect(next).rejects.toThrow('disk full');
    expect(registry.get(IDENTITY)).toBeUndefined();
    store.insert = insert;
    await registry.insert(sampleFunction());
    expect(registry.get(IDENTITY)).toBeDefined();
  });

  test('refuses what is taken, gone or of another revision', async () => {
    const registry = await CachedFunctionRegistry.load(new MemoryFunctionStore());
    await expect(registry.replace(sampleFunction(), 'revision-1')).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
    });
    await expect(registry.delete(IDENTITY)).rejects.toMatchObject({
      code: 'ResourceNotFoundException',
    });
    await registry.insert(sampleFunction());
    await expect(registry.insert(sampleFunction())).rejects.toMatchObject({
      code: 'ResourceConflictException',
    });
    await expect(registry.replace(sampleFunction(), 'revision-0')).rejects.toMatchObject({
      code: 'PreconditionFailedException',
    });
  });

  test('tells of each stored change until it is asked to stop', async () => {
    const registry = await CachedFunctionRegistry.load(new MemoryFunctionStore());
    const changes: FunctionChange[] = [];
    const stop = registry.onChange((change) => changes.push(change));
    const next = sampleFunction({ revisionId: 'revision-2' });
    await registry.insert(sampleFunction());
    await registry.replace(next, 'revision-1');
    await registry.delete(next);
    stop();
    await registry.insert(sampleFunction());
    expect(changes).toEqual([
      { kind: 'changed', version: sampleFunction() },
      { kind: 'changed', version: next },
      { kind: 'deleted', identity: IDENTITY },
    ]);
  });

  test('lists names in order, after any writes', async () => {
    const names = fc.uniqueArray(fc.stringMatching(/^[a-zA-Z0-9-_]{1,8}$/), { maxLength: 20 });
    const property = fc.asyncProperty(names, fc.nat(), async (all, deleted) => {
      const registry = await CachedFunctionRegistry.load(new MemoryFunctionStore());
      for (const functionName of all) await registry.insert(sampleFunction({ functionName }));
      const list = (): string[] =>
        registry.list('000000000000', 'us-east-1').map(({ functionName }) => functionName);
      expect(list()).toEqual([...all].sort());
      const gone = all[deleted % Math.max(1, all.length)];
      if (gone !== undefined) await registry.delete({ ...IDENTITY, functionName: gone });
      expect(list()).toEqual(all.filter((name) => name !== gone).sort());
      expect(registry.list('123456789012', 'us-east-1')).toEqual([]);
    });
    await fc.assert(property);
  });

  test('memory and store agree after any mix of writes at once', async () => {
    const write = fc.tuple(
      fc.constantFrom('insert', 'replace', 'delete'),
      fc.constantFrom('a', 'b'),
      fc.integer({ min: 0, max: 3 }),
      fc.integer({ min: 0, max: 3 }),
    );
    const property = fc.asyncProperty(fc.array(write, { maxLength: 30 }), async (writes) => {
      const store = new MemoryFunctionStore();
      const registry = await CachedFunctionRegistry.load(store);
      await Promise.allSettled(
        writes.map(([kind, functionName, revision, expected]) => {
          const version = sampleFunction({ functionName, revisionId: `${revision}` });
          if (kind === 'insert') return registry.insert(version);
          return kind === 'replace'
            ? registry.replace(version, `${expected}`)
            : registry.delete(version);
        }),
      );
      expect(new Set(registry.all())).toEqual(new Set(await store.loadAll()));
    });
    await fc.assert(property);
  });
});
