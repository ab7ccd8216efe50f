import { describe, expect, test } from 'vitest';
import { describeSandboxDriver } from '../../contract.ts';
import { forkingObstacle, openForkingDriver } from './forking-driver-fixture.ts';

const obstacle = forkingObstacle();
const faults: (readonly string[])[] = [];

describe.skipIf(obstacle !== undefined)(`forked guests (${obstacle ?? 'from a zygote'})`, () => {
  describeSandboxDriver({
    name: 'namespace, all guests forked',
    create: async (dataDir) => {
      const opened = await openForkingDriver(dataDir);
      faults.push(opened.faults);
      return opened.driver;
    },
  });

  test('none was executed instead', () => {
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.flat()).toEqual([]);
  });
});
