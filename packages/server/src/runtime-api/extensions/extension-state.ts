/**
 * Where one extension is in its life. An external one is `started` when its process is; an internal
 * one comes into being by registering.
 *
 * `crashed` keeps what the extension was: the EXTENSION line names that, as AWS has no word for it.
 */
export type ExtensionState =
  | { readonly kind: 'started' }
  | { readonly kind: 'registered' }
  /** Has asked for the next event and waits. */
  | { readonly kind: 'ready' }
  /** Works on an event. */
  | { readonly kind: 'running' }
  | { readonly kind: 'init-error'; readonly errorType: string }
  | { readonly kind: 'exit-error'; readonly errorType: string }
  | { readonly kind: 'launch-error'; readonly errorType: string }
  | { readonly kind: 'crashed'; readonly was: string }
  /** Ended by itself, successfully, when it was asked to shut down. */
  | { readonly kind: 'exited' }
  | { readonly kind: 'shutdown-failed' };

export type ExtensionMove =
  | { readonly kind: 'register' }
  | { readonly kind: 'next' }
  | { readonly kind: 'take-event' }
  | { readonly kind: 'report-init-error'; readonly errorType: string }
  | { readonly kind: 'report-exit-error'; readonly errorType: string }
  | { readonly kind: 'launch-failed'; readonly errorType: string }
  /** `expected`: a shutdown was under way. `success`: exit status 0. */
  | { readonly kind: 'process-ended'; readonly expected: boolean; readonly success: boolean };

/** A move that the life of an extension has not; the message is the one that AWS's API gives. */
export class ExtensionMoveError extends Error {
  override readonly name = 'ExtensionMoveError';

  constructor(from: string, to: string, subject: string) {
    super(
      `State transition from ${from} to ${to} failed for extension ${subject}. ` +
        'Error: State transition is not allowed',
    );
  }
}

/**
 * The only way from one state to the next, with the moves that AWS's emulator allows. Throws an
 * ExtensionMoveError on any other; `subject` is what its message calls the extension.
 */
export function transition(
  state: ExtensionState,
  move: ExtensionMove,
  subject: string,
): ExtensionState {
  switch (move.kind) {
    case 'register':
      if (state.kind === 'started') return { kind: 'registered' };
      break;
    case 'next':
      if (state.kind === 'registered' || state.kind === 'running') return { kind: 'ready' };
      break;
    case 'take-event':
      if (state.kind === 'ready') return { kind: 'running' };
      break;
    case 'report-init-error':
      if (state.kind === 'registered') return { kind: 'init-error', errorType: move.errorType };
      // The first report counts; another one is accepted and changes nothing.
      if (state.kind === 'init-error') return state;
      break;
    case 'report-exit-error':
      if (REGISTERED.has(state.kind)) return { kind: 'exit-error', errorType: move.errorType };
      if (state.kind === 'exit-error') return state;
      break;
    case 'launch-failed':
      if (state.kind === 'started') return { kind: 'launch-error', errorType: move.errorType };
      break;
    case 'process-ended':
      if (ENDED.has(state.kind)) break;
      // What the extension said of itself before it went is the better account.
      if (state.kind === 'init-error' || state.kind === 'exit-error') return state;
      if (!move.expected) return { kind: 'crashed', was: stateName(state) };
      return { kind: move.success ? 'exited' : 'shutdown-failed' };
  }
  throw new ExtensionMoveError(stateName(state), TARGET_NAMES[move.kind], subject);
}

/** AWS's name of a state, for the EXTENSION line and for error messages. */
export function stateName(state: ExtensionState): string {
  return state.kind === 'crashed' ? state.was : STATE_NAMES[state.kind];
}

const REGISTERED: ReadonlySet<ExtensionState['kind']> = new Set(['registered', 'ready', 'running']);

const ENDED: ReadonlySet<ExtensionState['kind']> = new Set([
  'crashed',
  'exited',
  'shutdown-failed',
  'launch-error',
]);

const STATE_NAMES: Readonly<Record<Exclude<ExtensionState['kind'], 'crashed'>, string>> = {
  started: 'Started',
  registered: 'Registered',
  ready: 'Ready',
  running: 'Running',
  'init-error': 'InitError',
  'exit-error': 'ExitError',
  'launch-error': 'LaunchError',
  exited: 'Exited',
  'shutdown-failed': 'ShutdownFailed',
};

const TARGET_NAMES: Readonly<Record<ExtensionMove['kind'], string>> = {
  register: 'Registered',
  next: 'Ready',
  'take-event': 'Running',
  'report-init-error': 'InitError',
  // The emulator calls the target of an exit error so.
  'report-exit-error': 'Exited',
  'launch-failed': 'LaunchError',
  'process-ended': 'Exited',
};
