import { describe, expect, test } from 'vitest';
import type { LayerDraft } from '../domain/layer.ts';
import type { LayerStore } from './layer-store.ts';

/** A layer version with every setting; `changes` go on top. */
export function sampleLayer(changes: Partial<LayerDraft> = {}): LayerDraft {
  return {
    accountId: '000000000000',
    region: 'us-east-1',
    layerName: 'tools',
    sha256: 'abc=',
    sizeBytes: 3,
    description: 'é "quoted" \u2028',
    licenseInfo: 'MIT',
    compatibleRuntimes: ['nodejs22.x'],
    compatibleArchitectures: ['x86_64'],
    createdMs: 1_767_225_600_000,
    ...changes,
  };
}

/** What every LayerStore does. `use` runs a test on an empty store and cleans up after it. */
export function describeLayerStore(
  name: string,
  use: (test: (store: LayerStore) => Promise<void>) => Promise<void>,
): void {
  const facts: Record<string, (store: LayerStore) => Promise<void>> = {
    'an empty store has no layers': async (store) => {
      expect(await store.loadAll()).toEqual([]);
    },
    'what was published is loaded as it was, with its number': async (store) => {
      const { licenseInfo: _licence, compatibleRuntimes: _runtimes, ...plain } = sampleLayer();
      expect(await store.publish(sampleLayer())).toEqual({ ...sampleLayer(), version: 1 });
      expect(await store.publish(plain)).toEqual({ ...plain, version: 2 });
      const loaded = await store.loadAll();
      expect(loaded.sort((a, b) => a.version - b.version)).toEqual([
        { ...sampleLayer(), version: 1 },
        { ...plain, version: 2 },
      ]);
    },
    'each layer of an account and region counts for itself': async (store) => {
      await store.publish(sampleLayer());
      for (const other of [
        { layerName: 'Tools' },
        { region: 'eu-west-1' },
        { accountId: '123456789012' },
      ]) {
        expect(await store.publish(sampleLayer(other))).toMatchObject({ ...other, version: 1 });
      }
      expect(await store.publish(sampleLayer())).toMatchObject({ version: 2 });
    },
    'many versions published at once get a number each': async (store) => {
      const published = await Promise.all(
        Array.from({ length: 20 }, () => store.publish(sampleLayer())),
      );
      const numbers = published.map(({ version }) => version).sort((a, b) => a - b);
      expect(numbers).toEqual(Array.from({ length: 20 }, (_, index) => index + 1));
    },
    'a deleted version is gone and its number is not used again, be it the last or the only one':
      async (store) => {
        await store.publish(sampleLayer());
        expect(await store.delete(sampleLayer(), 2)).toBe(false);
        expect(await store.delete(sampleLayer({ layerName: 'other' }), 1)).toBe(false);
        expect(await store.delete(sampleLayer(), 1)).toBe(true);
        expect(await store.delete(sampleLayer(), 1)).toBe(false);
        expect(await store.loadAll()).toEqual([]);
        expect(await store.publish(sampleLayer())).toMatchObject({ version: 2 });
      },
  };
  describe(`LayerStore: ${name}`, () => {
    test.each(Object.entries(facts))('%s', async (_fact, run) => {
      await expect(use(run)).resolves.toBeUndefined();
    });
  });
}
