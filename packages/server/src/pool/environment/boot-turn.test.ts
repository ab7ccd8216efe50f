import { expect, test } from 'vitest';
import { startPool, testVersion, WELL_BEHAVED } from '../pool-fixture.ts';

test('runtimes that do not boot keep others from starting for a second at most', async () => {
  // The pool starts two at once.
  await using under = startPool((start) => (start <= 2 ? undefined : WELL_BEHAVED));
  const stuck = [1, 2].map(() => under.invoke(testVersion({ functionName: 'stuck' })));
  while (under.guests.length < 2) await new Promise(setImmediate);
  const version = testVersion({ functionName: 'other', generation: 'other' });
  const other = under.invoke(version);
  await new Promise(setImmediate);
  expect(under.guests).toHaveLength(2);
  under.clock.advance(1_000);
  expect(await other).toMatchObject({ kind: 'success' });
  for (const guest of under.guests) guest.exit(1);
  await Promise.allSettled(stuck);
});
