import { describe, expect, test } from 'vitest';
import { sampleLayer } from '../store/layer-store-contract.ts';
import { MemoryLayerStore } from '../store/memory/memory-layer-store.ts';
import { CachedLayerRegistry } from './cached-layer-registry.ts';

const numbers = (versions: readonly { readonly version: number }[]): number[] =>
  versions.map(({ version }) => version);

describe('CachedLayerRegistry', () => {
  test('has what the store has, the latest version first', async () => {
    const store = new MemoryLayerStore();
    for (let count = 0; count < 3; count += 1) await store.publish(sampleLayer());
    const registry = await CachedLayerRegistry.load(store);
    expect(numbers(registry.versions(sampleLayer()))).toEqual([3, 2, 1]);
    expect(registry.get(sampleLayer(), 2)).toEqual({ ...sampleLayer(), version: 2 });
    expect(registry.get(sampleLayer(), 4)).toBeUndefined();
    expect(numbers([...registry.all()])).toEqual([3, 2, 1]);
  });

  test('lists the layers of one account and region by name', async () => {
    const registry = await CachedLayerRegistry.load(new MemoryLayerStore());
    for (const layerName of ['b', 'a', 'c']) await registry.publish(sampleLayer({ layerName }));
    await registry.publish(sampleLayer({ layerName: 'a' }));
    await registry.publish(sampleLayer({ layerName: 'elsewhere', region: 'eu-west-1' }));
    await registry.publish(sampleLayer({ layerName: 'theirs', accountId: '123456789012' }));
    const listed = registry.list('000000000000', 'us-east-1');
    expect(listed.map((versions) => [versions[0]?.layerName, numbers(versions)])).toEqual([
      ['a', [2, 1]],
      ['b', [1]],
      ['c', [1]],
    ]);
  });

  test('a version is seen once it is stored, and listeners are told then', async () => {
    const registry = await CachedLayerRegistry.load(new MemoryLayerStore());
    const seen: number[][] = [];
    const stop = registry.onChange(() => seen.push(numbers(registry.versions(sampleLayer()))));
    await registry.publish(sampleLayer());
    await registry.publish(sampleLayer());
    await registry.delete(sampleLayer(), 1);
    await registry.delete(sampleLayer(), 1);
    await registry.delete(sampleLayer(), 2);
    stop();
    await registry.publish(sampleLayer());
    expect(seen).toEqual([[1], [2, 1], [2], []]);
    expect(numbers(registry.versions(sampleLayer()))).toEqual([3]);
  });

  test('what is stored in another order than it was asked for is in the order of its numbers', async () => {
    const store = new MemoryLayerStore();
    const registry = await CachedLayerRegistry.load(store);
    const publish = store.publish.bind(store);
    const held = Promise.withResolvers<void>();
    store.publish = async (draft) => {
      const version = await publish(draft);
      if (version.version === 1) await held.promise;
      return version;
    };
    const first = registry.publish(sampleLayer());
    await registry.publish(sampleLayer());
    held.resolve();
    await first;
    expect(numbers(registry.versions(sampleLayer()))).toEqual([2, 1]);
  });
});
