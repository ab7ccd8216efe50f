import { describe, expect, test } from 'vitest';
import { describeSandboxDriver } from '../../contract.ts';
import { forkingObstacle, openForkingDriver } from './forking-driver-fixture.ts';

const obstacle = forkingObstacle();
const faults: (readonly string[])[] = [];

describe.skipIf(obstacle !== undefined)(`forked guests ${obstacle ?? ''}`, () => {
  describeSandboxDriver({
    name: 'namespace, all guests forked',
    create: async (dataDir) => {
      const opened = await openForkingDriver(dataDir);
      faults.push(opened.faults);
      return opened.driver;
    },
  });

  test('none was executed instead', () => {
    // The folder that is not there: neither a fork nor a program can be started in it.
    const unexpected = faults.flat().filter((fault) => !fault.includes('/absent'));
    expect(unexpected).toEqual([]);
  });
});
