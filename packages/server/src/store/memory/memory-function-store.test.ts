import { describeFunctionStore } from '../function-store-contract.ts';
import { MemoryFunctionStore } from './memory-function-store.ts';

describeFunctionStore('memory', async (run) => {
  await using store = new MemoryFunctionStore();
  await run(store);
});
