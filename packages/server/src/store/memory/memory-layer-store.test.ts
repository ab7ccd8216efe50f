import { describeLayerStore } from '../layer-store-contract.ts';
import { MemoryLayerStore } from './memory-layer-store.ts';

describeLayerStore('memory', async (run) => {
  await using store = new MemoryLayerStore();
  await run(store);
});
