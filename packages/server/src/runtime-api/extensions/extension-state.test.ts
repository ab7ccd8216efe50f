import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  ExtensionMoveError,
  stateName,
  transition,
  type ExtensionMove,
  type ExtensionState,
} from './extension-state.ts';

const anyMove: fc.Arbitrary<ExtensionMove> = fc.oneof(
  fc.constantFrom<ExtensionMove>(
    { kind: 'register' },
    { kind: 'next' },
    { kind: 'take-event' },
    { kind: 'launch-failed', errorType: 'PermissionDenied' },
  ),
  fc.record({
    kind: fc.constantFrom('report-init-error' as const, 'report-exit-error' as const),
    errorType: fc.constantFrom('Fatal.A', 'Fatal.B'),
  }),
  fc.record({
    kind: fc.constant('process-ended' as const),
    expected: fc.boolean(),
    success: fc.boolean(),
  }),
);

/** Applies what is legal and leaves out the rest. */
function live(moves: readonly ExtensionMove[]): {
  states: ExtensionState[];
  taken: ExtensionMove[];
} {
  const states: ExtensionState[] = [{ kind: 'started' }];
  const taken: ExtensionMove[] = [];
  for (const move of moves) {
    try {
      states.push(transition(states.at(-1) ?? { kind: 'started' }, move, 'x'));
      taken.push(move);
    } catch (error) {
      expect(error).toBeInstanceOf(ExtensionMoveError);
    }
  }
  return { states, taken };
}

function kinds(moves: readonly ExtensionMove[]): string[] {
  return live(moves).states.map(({ kind }) => kind);
}

describe('extension state', () => {
  test('a life goes from started through registered to ready and running, over and over', () => {
    expect(
      kinds([
        { kind: 'register' },
        { kind: 'next' },
        { kind: 'take-event' },
        { kind: 'next' },
        { kind: 'take-event' },
        { kind: 'process-ended', expected: true, success: true },
      ]),
    ).toEqual(['started', 'registered', 'ready', 'running', 'ready', 'running', 'exited']);
  });

  test('a refused move says from where to where, in the words of AWS', () => {
    expect(() => transition({ kind: 'ready' }, { kind: 'next' }, 'id')).toThrow(
      'State transition from Ready to Ready failed for extension id. Error: State transition is not allowed',
    );
  });

  test('a crash keeps the name of what the extension was', () => {
    const crashed = transition(
      { kind: 'registered' },
      { kind: 'process-ended', expected: false, success: true },
      'x',
    );
    expect(crashed.kind).toBe('crashed');
    expect(stateName(crashed)).toBe('Registered');
  });

  test('an extension that is killed in the shutdown has failed to shut down', () => {
    expect(
      kinds([
        { kind: 'register' },
        { kind: 'next' },
        { kind: 'take-event' },
        { kind: 'process-ended', expected: true, success: false },
      ]).at(-1),
    ).toBe('shutdown-failed');
  });

  test('whatever happens, events are only taken by who registered and asked for one each', () => {
    fc.assert(
      fc.property(fc.array(anyMove, { maxLength: 40 }), (moves) => {
        const { taken } = live(moves);
        let asked = 0;
        let registered = 0;
        for (const move of taken) {
          if (move.kind === 'register') registered += 1;
          if (move.kind === 'next') {
            expect(registered).toBe(1);
            asked += 1;
            expect(asked).toBe(1);
          }
          if (move.kind === 'take-event') {
            asked -= 1;
            expect(asked).toBe(0);
          }
        }
        expect(registered).toBeLessThanOrEqual(1);
      }),
    );
  });

  test('whatever happens, an end is final and the first reported error is the one that counts', () => {
    const ends = new Set(['crashed', 'exited', 'shutdown-failed', 'launch-error']);
    fc.assert(
      fc.property(fc.array(anyMove, { maxLength: 40 }), (moves) => {
        const { states } = live(moves);
        const endedAt = states.findIndex(({ kind }) => ends.has(kind));
        if (endedAt !== -1) expect(endedAt).toBe(states.length - 1);
        const reported = states.filter(
          ({ kind }) => kind === 'init-error' || kind === 'exit-error',
        );
        expect(new Set(reported.map((state) => JSON.stringify(state))).size).toBeLessThanOrEqual(1);
      }),
    );
  });
});
