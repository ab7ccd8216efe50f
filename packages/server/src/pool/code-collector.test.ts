import { describe, expect, test } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { LayerReference } from '../domain/layer.ts';
import { CachedFunctionRegistry } from '../registry/cached-function-registry.ts';
import { CachedLayerRegistry } from '../registry/cached-layer-registry.ts';
import { sampleFunction } from '../store/function-store-contract.ts';
import { sampleLayer } from '../store/layer-store-contract.ts';
import { MemoryFunctionStore } from '../store/memory/memory-function-store.ts';
import { MemoryLayerStore } from '../store/memory/memory-layer-store.ts';
import { CodeCollector } from './code-collector.ts';

const usedLayer = (sha256: string): LayerReference => ({
  arn: `arn of ${sha256}`,
  sha256,
  sizeBytes: 1,
});
const withCode = (functionName: string, sha256: string, layers: string[] = []): FunctionVersion =>
  sampleFunction({
    functionName,
    code: { kind: 'archive', sha256, sizeBytes: 1 },
    layers: layers.map(usedLayer),
  });

async function startCollector() {
  const clock = new ManualClock();
  const registry = await CachedFunctionRegistry.load(new MemoryFunctionStore());
  const layers = await CachedLayerRegistry.load(new MemoryLayerStore());
  const kept: string[][] = [];
  const merged: string[][] = [];
  const compiled: string[][] = [];
  const running: FunctionVersion[] = [];
  const collector = new CodeCollector({
    registry,
    layers,
    pool: { versionsInUse: () => running },
    codeStore: {
      retain: (sha256s) => {
        kept.push([...sha256s].sort());
        return Promise.resolve();
      },
    },
    layerFolders: {
      retain: (used) => {
        merged.push([...used].map((list) => list.map(({ sha256 }) => sha256).join('+')));
        return Promise.resolve();
      },
    },
    codeCaches: { retain: (functions) => void compiled.push([...functions]) },
    clock,
    onFault: (error) => {
      throw error;
    },
  });
  /** What the looks of the last five seconds have kept. */
  const look = () => {
    clock.advance(5_000);
    return { kept: kept.splice(0), merged: merged.splice(0) };
  };
  return { registry, layers, running, look, [Symbol.dispose]: () => collector[Symbol.dispose]() };
}

describe('CodeCollector', () => {
  test('looks once after its start and after changes, and not without one', async () => {
    using under = await startCollector();
    expect(under.look().kept).toEqual([[]]);
    expect(under.look().kept).toEqual([]);
    await under.registry.insert(withCode('f', 'code'));
    await under.layers.publish(sampleLayer({ sha256: 'layer' }));
    expect(under.look().kept).toEqual([['code', 'layer']]);
    expect(under.look().kept).toEqual([]);
  });

  test('keeps what functions use, layers and their merged folders included', async () => {
    using under = await startCollector();
    await under.registry.insert(withCode('f', 'code-f', ['l1', 'l2']));
    await under.registry.insert(withCode('g', 'code-g'));
    expect(under.look()).toEqual({
      kept: [['code-f', 'code-g', 'l1', 'l2']],
      merged: [['l1+l2', '']],
    });
  });

  test('keeps what an environment of an older version still uses', async () => {
    using under = await startCollector();
    under.running.push(withCode('f', 'old-code', ['old-layer']));
    await under.registry.insert(withCode('f', 'code'));
    expect(under.look()).toEqual({
      kept: [['code', 'old-code', 'old-layer']],
      merged: [['', 'old-layer']],
    });
  });

  test('a deleted layer version is kept for as long as a function uses its content', async () => {
    using under = await startCollector();
    const { version } = await under.layers.publish(sampleLayer({ sha256: 'layer' }));
    await under.registry.insert(withCode('f', 'code', ['layer']));
    under.look();
    await under.layers.delete(sampleLayer(), version);
    expect(under.look().kept).toEqual([['code', 'layer']]);
    await under.registry.delete(sampleFunction({ functionName: 'f' }));
    expect(under.look().kept).toEqual([[]]);
  });
});
