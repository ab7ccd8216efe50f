import { release } from 'node:os';
import { describeSandboxDriver } from '../contract.ts';
import { openNamespaceDriver } from './namespace-driver.ts';

const [major = 0, minor = 0] = release().split('.').map(Number);
// Before, only its parent learns how a process has ended, and bubblewrap tells both alike.
const tellsExits = major > 6 || (major === 6 && minor >= 15);

describeSandboxDriver({
  name: 'namespace',
  create: async (dataDir) => (await openNamespaceDriver(dataDir)).driver,
  skip: tellsExits ? {} : { exitAbove128: 'needs Linux 6.15' },
});
