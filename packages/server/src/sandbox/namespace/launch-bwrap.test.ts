import { readdirSync } from 'node:fs';
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { launchBwrap } from './launch-bwrap.ts';
import { loadProcessCalls } from './spawned-process.ts';

const COMMAND = { argv: ['/bin/true'], environment: {}, cwd: '/', descriptors: 'channel' } as const;

test('a bubblewrap that cannot be executed is told of, and leaves no descriptor', async ({
  skip,
}) => {
  skip(process.platform !== 'linux', 'needs Linux');
  const plan = {
    ...(await loadProcessCalls()),
    bwrap: '/absent/bwrap',
    user: undefined,
    group: undefined,
    scopes: [],
    addedDescriptors: [],
  };
  const before = readdirSync('/proc/self/fd');
  expect(() => launchBwrap(plan, undefined, '', COMMAND)).toThrow(
    'posix_spawn /absent/bwrap: ENOENT',
  );
  // Node.js closes sockets in the next turn of the event loop.
  await setImmediate();
  expect(readdirSync('/proc/self/fd')).toEqual(before);
});
