import { describeSandboxDriver } from '../contract.ts';
import { openProcessDriver } from './process-driver.ts';

const elsewhere =
  process.platform === 'linux' ? {} : { descriptors: 'needs /proc', escapees: 'needs /proc' };

describeSandboxDriver({ name: 'process', create: openProcessDriver, skip: elsewhere });
