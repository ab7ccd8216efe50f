import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { transition, type EnvironmentEvent, type EnvironmentState } from './environment-state.ts';

const EVENTS: EnvironmentEvent[] = [
  { kind: 'sandbox-created' },
  { kind: 'init-phase-entered', phase: 'runtime' },
  { kind: 'init-phase-entered', phase: 'function' },
  { kind: 'init-succeeded' },
  { kind: 'frozen' },
  { kind: 'thawed' },
  { kind: 'invoke-started', requestId: 'r' },
  { kind: 'answered' },
  { kind: 'settled' },
  { kind: 'process-lost', reason: 'exit' },
  { kind: 'process-cleared' },
  { kind: 'shutdown', reason: 'keep-alive' },
  { kind: 'ended' },
];

/** Applies what is legal and leaves out the rest. */
function live(
  events: readonly EnvironmentEvent[],
  from: EnvironmentState = { kind: 'creating' },
): {
  states: EnvironmentState[];
  taken: EnvironmentEvent[];
} {
  const states: EnvironmentState[] = [from];
  const taken: EnvironmentEvent[] = [];
  for (const event of events) {
    try {
      states.push(transition(states.at(-1) ?? from, event));
      taken.push(event);
    } catch {
      continue;
    }
  }
  return { states, taken };
}

/** Histories with a shutdown now and then, not at every tenth step: lives that last. */
const HISTORIES = fc.array(
  fc.oneof(
    { weight: 30, arbitrary: fc.constantFrom(...EVENTS.slice(0, 11)) },
    { weight: 1, arbitrary: fc.constantFrom(...EVENTS.slice(11)) },
  ),
  { maxLength: 120 },
);

/** Each state that there is, and where each event leads from it; what is not named is refused. */
const MOVES: readonly [
  EnvironmentState,
  Partial<Record<EnvironmentEvent['kind'], EnvironmentState>>,
][] = [
  [{ kind: 'creating' }, { 'sandbox-created': { kind: 'init', phase: 'extension' } }],
  [
    { kind: 'init', phase: 'extension' },
    {
      'init-phase-entered': { kind: 'init', phase: 'function' },
      'init-succeeded': { kind: 'ready' },
      'process-lost': { kind: 'resetting', reason: 'exit' },
    },
  ],
  [
    { kind: 'init', phase: 'runtime', requestId: 'a' },
    {
      'init-phase-entered': { kind: 'init', phase: 'function', requestId: 'a' },
      'init-succeeded': { kind: 'invoking', requestId: 'a' },
      'process-lost': { kind: 'resetting', reason: 'exit' },
    },
  ],
  [
    { kind: 'init', phase: 'function' },
    {
      'init-succeeded': { kind: 'ready' },
      'process-lost': { kind: 'resetting', reason: 'exit' },
    },
  ],
  [
    { kind: 'ready' },
    {
      frozen: { kind: 'frozen' },
      'invoke-started': { kind: 'invoking', requestId: 'r' },
      'process-lost': { kind: 'resetting', reason: 'exit' },
    },
  ],
  [
    { kind: 'frozen' },
    { thawed: { kind: 'ready' }, 'process-lost': { kind: 'resetting', reason: 'exit' } },
  ],
  [
    { kind: 'invoking', requestId: 'a' },
    {
      answered: { kind: 'finishing', requestId: 'a' },
      'process-lost': { kind: 'resetting', reason: 'exit' },
    },
  ],
  [
    { kind: 'finishing', requestId: 'a' },
    { settled: { kind: 'ready' }, 'process-lost': { kind: 'resetting', reason: 'exit' } },
  ],
  [{ kind: 'resetting', reason: 'timeout' }, { 'process-cleared': { kind: 'cold' } }],
  [{ kind: 'cold' }, { 'invoke-started': { kind: 'init', phase: 'extension', requestId: 'r' } }],
  [{ kind: 'shutting-down', reason: 'keep-alive' }, { ended: { kind: 'gone' } }],
  [{ kind: 'gone' }, {}],
];

/** One of each kind. */
const EVENT_OF_KIND = new Map(EVENTS.map((event) => [event.kind, event]));

describe('environment state', () => {
  test.each(MOVES)('from %j only its own moves are possible; all others throw', (state, moves) => {
    for (const [kind, event] of EVENT_OF_KIND) {
      const ends = kind === 'shutdown' && state.kind !== 'shutting-down' && state.kind !== 'gone';
      const next = ends ? { kind: 'shutting-down', reason: 'keep-alive' } : moves[kind];
      if (next === undefined) {
        expect(() => transition(state, event)).toThrow(
          `Cannot apply ${kind} to an environment that is ${state.kind}`,
        );
      } else {
        expect(transition(state, event)).toEqual(next);
      }
    }
  });

  test('these are all the states that can be reached, and every one of them can be', () => {
    const reached = new Map<string, EnvironmentState>();
    const waiting: EnvironmentState[] = [{ kind: 'creating' }];
    for (let state = waiting.pop(); state !== undefined; state = waiting.pop()) {
      const key = JSON.stringify(state);
      if (reached.has(key)) continue;
      reached.set(key, state);
      waiting.push(...EVENTS.flatMap((event) => live([event], state).states.slice(1)));
    }
    const kinds = new Set([...reached.values()].map(({ kind }) => kind));
    expect(kinds).toEqual(new Set(MOVES.map(([{ kind }]) => kind)));
    expect(reached.size).toBeLessThan(50);
  });

  test('an environment is initialised in phases, serves, freezes, thaws and serves again', () => {
    const { states } = live([
      { kind: 'sandbox-created' },
      { kind: 'init-phase-entered', phase: 'runtime' },
      { kind: 'init-phase-entered', phase: 'function' },
      { kind: 'init-succeeded' },
      { kind: 'invoke-started', requestId: 'a' },
      { kind: 'answered' },
      { kind: 'settled' },
      { kind: 'frozen' },
      { kind: 'thawed' },
      { kind: 'invoke-started', requestId: 'b' },
    ]);
    expect(states).toEqual([
      { kind: 'creating' },
      { kind: 'init', phase: 'extension' },
      { kind: 'init', phase: 'runtime' },
      { kind: 'init', phase: 'function' },
      { kind: 'ready' },
      { kind: 'invoking', requestId: 'a' },
      { kind: 'finishing', requestId: 'a' },
      { kind: 'ready' },
      { kind: 'frozen' },
      { kind: 'ready' },
      { kind: 'invoking', requestId: 'b' },
    ]);
  });

  test('after a reset the next event begins with init', () => {
    const { states } = live([
      { kind: 'sandbox-created' },
      { kind: 'init-succeeded' },
      { kind: 'process-lost', reason: 'timeout' },
      { kind: 'process-cleared' },
      { kind: 'invoke-started', requestId: 'a' },
      { kind: 'init-phase-entered', phase: 'function' },
      { kind: 'init-succeeded' },
    ]);
    expect(states.slice(3)).toEqual([
      { kind: 'resetting', reason: 'timeout' },
      { kind: 'cold' },
      { kind: 'init', phase: 'extension', requestId: 'a' },
      { kind: 'init', phase: 'function', requestId: 'a' },
      { kind: 'invoking', requestId: 'a' },
    ]);
  });

  test('a second event cannot start while one runs, nor while frozen', () => {
    const invoke: EnvironmentEvent = { kind: 'invoke-started', requestId: 'b' };
    expect(() => transition({ kind: 'invoking', requestId: 'a' }, invoke)).toThrow(
      'Cannot apply invoke-started to an environment that is invoking',
    );
    expect(() => transition({ kind: 'frozen' }, invoke)).toThrow('that is frozen');
  });

  test('phases of init only go forward', () => {
    expect(() =>
      transition(
        { kind: 'init', phase: 'function' },
        { kind: 'init-phase-entered', phase: 'runtime' },
      ),
    ).toThrow('Cannot apply init-phase-entered');
  });

  test('whatever happens, events never overlap, nothing runs while frozen, nothing follows the end', () => {
    fc.assert(
      fc.property(HISTORIES, (events) => {
        const { states, taken } = live(events);
        let running = false;
        for (const [index, event] of taken.entries()) {
          if (event.kind === 'invoke-started') {
            expect(running).toBe(false);
            expect(states[index]?.kind).not.toBe('frozen');
            running = true;
          }
          if (event.kind === 'answered' || event.kind === 'process-lost') running = false;
          if (event.kind === 'frozen') expect(running).toBe(false);
        }
        const goneAt = states.findIndex(({ kind }) => kind === 'gone');
        if (goneAt !== -1) expect(goneAt).toBe(states.length - 1);
        const endingAt = states.findIndex(({ kind }) => kind === 'shutting-down');
        if (endingAt !== -1) expect(states.length - endingAt).toBeLessThanOrEqual(2);
      }),
    );
  });

  test('every event of an environment that serves is one of a process that was initialised', () => {
    fc.assert(
      fc.property(HISTORIES, (events) => {
        const { states, taken } = live(events);
        const isInitialised: boolean[] = [];
        for (const event of taken) {
          const before = isInitialised.at(-1) ?? false;
          if (event.kind === 'init-succeeded') isInitialised.push(true);
          else isInitialised.push(before && event.kind !== 'process-lost');
        }
        const serving = taken.keys().filter((index) => states[index + 1]?.kind === 'invoking');
        expect(serving.every((index) => isInitialised[index])).toBe(true);
      }),
    );
  });

  test('every state can come to its end', () => {
    fc.assert(
      fc.property(HISTORIES, (events) => {
        const state = live(events).states.at(-1);
        if (state === undefined || state.kind === 'gone' || state.kind === 'shutting-down') return;
        expect(transition(state, { kind: 'shutdown', reason: 'shutdown' }).kind).toBe(
          'shutting-down',
        );
      }),
    );
  });
});
