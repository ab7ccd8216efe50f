import { once } from 'node:events';
import { PassThrough, Readable } from 'node:stream';
import { setImmediate as nextLoopTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { SystemClock } from '../../clock/system-clock.ts';
import type { GuestProcess } from '../../sandbox/sandbox.ts';
import { GuestOutput } from './guest-output.ts';

function printing(stdout: Readable): GuestProcess {
  return {
    channel: undefined,
    log: undefined,
    stdout,
    stderr: Readable.from([]),
    exited: new Promise(() => {}),
    terminate: () => {},
    kill: () => Promise.resolve(),
  };
}

test('short output arrives within the turn in which it comes', async () => {
  const stdout = new PassThrough();
  const lines: string[] = [];
  const output = new GuestOutput(printing(stdout), new SystemClock());
  output.direct({ write: (line) => lines.push(line) });
  stdout.write('one\ntwo\n');
  await nextLoopTurn();
  expect(lines).toEqual(['one', 'two']);
  expect(output.isBehind).toBe(false);
});

test('a flood leaves the loop to others, loses nothing and keeps its order', async () => {
  const stdout = new PassThrough({ highWaterMark: 65_536 });
  let received = 0;
  let inOrder = true;
  const output = new GuestOutput(printing(stdout), new SystemClock());
  output.direct({
    write(line) {
      inOrder &&= line === (received % 2 === 0 ? 'even' : 'odd');
      received += 1;
    },
  });
  // What is written at once comes at once: without pauses it would be one long turn.
  stdout.write('even\nodd\n'.repeat(25_000));
  stdout.end();
  let turns = 0;
  const ended = output.ended.then(() => 'ended');
  while ((await Promise.race([ended, nextLoopTurn('turn')])) === 'turn') turns += 1;
  expect([received, inOrder]).toEqual([50_000, true]);
  expect(turns).toBeGreaterThan(10);
});

test('a writer is held up while what it has written is not read', async () => {
  const stdout = new PassThrough({ highWaterMark: 16_384 });
  const output = new GuestOutput(printing(stdout), new SystemClock());
  output.direct({ write: () => {} });
  const flood = Buffer.from('\n'.repeat(20_000));
  let writes = 1;
  while (stdout.write(flood) && writes < 10) writes += 1;
  expect(writes).toBeLessThan(10);
  expect(output.isBehind).toBe(true);
  await output.caughtUp();
  await once(stdout, 'drain');
  stdout.end();
  await output.drained();
  expect(output.isBehind).toBe(false);
});
