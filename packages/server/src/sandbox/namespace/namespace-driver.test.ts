import { describeSandboxDriver } from '../contract.ts';
import { openNamespaceDriver } from './namespace-driver.ts';

describeSandboxDriver({
  name: 'namespace',
  create: async (dataDir) => (await openNamespaceDriver(dataDir)).driver,
});
