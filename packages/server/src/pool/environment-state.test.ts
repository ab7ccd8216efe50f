import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { transition, type EnvironmentEvent, type EnvironmentState } from './environment-state.ts';

const EVENTS: EnvironmentEvent[] = [
  { kind: 'sandbox-created' },
  { kind: 'init-succeeded' },
  { kind: 'invoke-started', requestId: 'r' },
  { kind: 'answered' },
  { kind: 'settled' },
  { kind: 'process-lost', reason: 'exit' },
  { kind: 'process-cleared' },
  { kind: 'end', reason: 'keep-alive' },
  { kind: 'ended' },
];

/** Applies what is legal and leaves out the rest. */
function live(events: EnvironmentEvent[]): {
  states: EnvironmentState[];
  taken: EnvironmentEvent[];
} {
  const states: EnvironmentState[] = [{ kind: 'creating' }];
  const taken: EnvironmentEvent[] = [];
  for (const event of events) {
    try {
      states.push(transition(states.at(-1) ?? { kind: 'creating' }, event));
      taken.push(event);
    } catch {
      continue;
    }
  }
  return { states, taken };
}

describe('environment state', () => {
  test('an invocation goes from ready through invoking and settling to ready', () => {
    const { states } = live([
      { kind: 'sandbox-created' },
      { kind: 'init-succeeded' },
      { kind: 'invoke-started', requestId: 'a' },
      { kind: 'answered' },
      { kind: 'settled' },
    ]);
    expect(states.map(({ kind }) => kind)).toEqual([
      'creating',
      'initialising',
      'ready',
      'invoking',
      'settling',
      'ready',
    ]);
  });

  test('a second event cannot start while one runs', () => {
    expect(() =>
      transition({ kind: 'invoking', requestId: 'a' }, { kind: 'invoke-started', requestId: 'b' }),
    ).toThrow('Cannot apply invoke-started to an environment that is invoking');
  });

  test('whatever happens, events never overlap and nothing follows the end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 60 }), (events) => {
        const { states, taken } = live(events);
        let running = false;
        for (const event of taken) {
          if (event.kind === 'invoke-started') {
            expect(running).toBe(false);
            running = true;
          }
          if (event.kind === 'answered' || event.kind === 'process-lost') running = false;
        }
        const goneAt = states.findIndex(({ kind }) => kind === 'gone');
        if (goneAt !== -1) expect(goneAt).toBe(states.length - 1);
        const endingAt = states.findIndex(({ kind }) => kind === 'ending');
        if (endingAt !== -1) expect(states.length - endingAt).toBeLessThanOrEqual(2);
      }),
    );
  });

  test('every state can come to its end', () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom(...EVENTS), { maxLength: 30 }), (events) => {
        const state = live(events).states.at(-1);
        if (state === undefined || state.kind === 'gone' || state.kind === 'ending') return;
        expect(transition(state, { kind: 'end', reason: 'shutdown' }).kind).toBe('ending');
      }),
    );
  });
});
