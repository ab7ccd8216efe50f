import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Admission } from './admission.ts';

describe('admission', () => {
  test('an account never runs more than its concurrency, and others are not affected', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 5 }),
        fc.array(fc.tuple(fc.constantFrom('1', '2'), fc.boolean()), { maxLength: 80 }),
        (limit, steps) => {
          const admission = new Admission(limit);
          const running: Record<string, number> = { '1': 0, '2': 0 };
          for (const [account, enters] of steps) {
            const now = running[account] ?? 0;
            if (!enters) {
              if (now === 0) continue;
              admission.leave(of(account));
              running[account] = now - 1;
            } else if (now < limit) {
              admission.enter(of(account));
              running[account] = now + 1;
            } else {
              expect(() => admission.enter(of(account))).toThrow(
                expect.objectContaining({
                  code: 'TooManyRequestsException',
                  reason: 'ConcurrentInvocationLimitExceeded',
                }),
              );
            }
          }
        },
      ),
    );
  });
});

function of(accountId: string) {
  return { accountId, region: 'us-east-1', functionName: 'fn' };
}
