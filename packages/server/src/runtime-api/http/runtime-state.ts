/**
 * Where a runtime is in its conversation, by the names that AWS's open emulator uses in its messages
 * (the service's own names are unverified).
 */
export type RuntimeState =
  | 'Started'
  | 'InitError'
  | 'Ready'
  | 'Running'
  | 'InvocationResponse'
  | 'InvocationErrorResponse'
  | 'RuntimeResponseSentState';

/** What moves a runtime on: calls of its own, and what the server does. */
export type RuntimeMove =
  /** It asks for the next event. */
  | 'next'
  | 'response'
  | 'error'
  | 'init-error'
  /** The server sends it an event. */
  | 'deliver'
  /** The event did not get through, as its connection had ended. */
  | 'undelivered'
  /** Its response or error has been received whole. */
  | 'sent';

const MOVES: Readonly<Record<RuntimeState, Partial<Record<RuntimeMove, RuntimeState>>>> = {
  Started: { next: 'Ready', 'init-error': 'InitError' },
  InitError: {},
  Ready: { next: 'Ready', deliver: 'Running' },
  // A second poll waits. The emulator would send it the same event again.
  Running: {
    next: 'Running',
    response: 'InvocationResponse',
    error: 'InvocationErrorResponse',
    undelivered: 'Ready',
  },
  InvocationResponse: { sent: 'RuntimeResponseSentState' },
  InvocationErrorResponse: { sent: 'RuntimeResponseSentState' },
  RuntimeResponseSentState: { next: 'Ready' },
};

const TARGETS = {
  next: 'Ready',
  response: 'InvocationResponse',
  error: 'InvocationErrorResponse',
  'init-error': 'InitError',
} as const satisfies Partial<Record<RuntimeMove, RuntimeState>>;

/** The state after a move; undefined where the move is not allowed. */
export function stateAfter(state: RuntimeState, move: RuntimeMove): RuntimeState | undefined {
  return MOVES[state][move];
}

/** The message of a 403 `InvalidStateTransition`, as the emulator words it. */
export function refusedMoveText(state: RuntimeState, move: keyof typeof TARGETS): string {
  return `State transition from ${state} to ${TARGETS[move]} failed for runtime. Error: State transition is not allowed`;
}
