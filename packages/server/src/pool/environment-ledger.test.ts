import { describe, expect, test } from 'vitest';
import { EnvironmentEvents } from './environment/environment-events.ts';
import { EnvironmentLedger } from './environment-ledger.ts';
import { startPool, testVersion } from './pool-fixture.ts';

describe('environment ledger', () => {
  test('tells the life of an environment, the latest first, with the parts of its cold start', async () => {
    await using under = startPool(() => ({}));
    using ledger = new EnvironmentLedger(under.events);
    await under.invoke();
    await under.logged('REPORT');
    under.clock.advance(5);
    const entries = [...ledger.latest()].toReversed();
    expect(entries.map(({ event, to }) => [event.kind, to.kind])).toEqual([
      ['sandbox-created', 'init'],
      ['init-phase-entered', 'init'],
      ['init-phase-entered', 'init'],
      ['init-succeeded', 'ready'],
      ['invoke-started', 'invoking'],
      ['answered', 'finishing'],
      ['settled', 'ready'],
      ['frozen', 'frozen'],
    ]);
    expect(entries[3]?.coldStart).toEqual({
      path: 'direct',
      allocationMs: 0,
      setupMs: 0,
      initMs: 0,
    });
    expect(entries[0]).toMatchObject({
      functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:fn',
      version: '$LATEST',
      from: 'creating',
    });
  });

  test('the entries of one environment can be had alone', async () => {
    await using under = startPool(() => ({}));
    using ledger = new EnvironmentLedger(under.events);
    await Promise.all([under.invoke(), under.invoke()]);
    const ids = new Set([...ledger.latest()].map(({ environmentId }) => environmentId));
    expect(ids.size).toBe(2);
    for (const id of ids) {
      const own = [...ledger.latest(id)];
      expect(own.length).toBeGreaterThan(0);
      expect(own.every(({ environmentId }) => environmentId === id)).toBe(true);
    }
  });

  test('only the latest are kept', () => {
    const events = new EnvironmentEvents();
    using ledger = new EnvironmentLedger(events);
    for (let index = 0; index < 10_000; index += 1) {
      events.publish({
        environmentId: String(index),
        version: testVersion(),
        logStreamName: '',
        event: { kind: 'frozen' },
        from: { kind: 'ready' },
        to: { kind: 'frozen' },
        timeMs: index,
      });
    }
    const times = [...ledger.latest()].map(({ timeMs }) => timeMs);
    expect(times).toHaveLength(4_096);
    expect(times[0]).toBe(9_999);
    expect(times.at(-1)).toBe(9_999 - 4_095);
  });
});
