/** Why the processes of an environment were ended before its next event. */
export type ResetReason = 'timeout' | 'exit' | 'init-failure' | 'extension-failure';

/** Why an environment came to its end. */
export type EndReason =
  | 'keep-alive'
  | 'maximum-lifetime'
  | 'updated'
  | 'deleted'
  | 'shutdown'
  | 'fault';

/** The parts of init, in their order; the middle one ends when the bootstrap is loaded. */
export type InitPhase = 'extension' | 'runtime' | 'function';

/**
 * Where an environment is in its life.
 *
 * `init` with a request id runs inside that event, under its timeout ("suppressed init"). `frozen`
 * gets no CPU. `finishing` has answered but still writes END and REPORT, or waits for extensions.
 * `cold` has a sandbox but no process: it was reset, and the next event begins with init.
 */
export type EnvironmentState =
  | { readonly kind: 'creating' }
  | { readonly kind: 'init'; readonly phase: InitPhase; readonly requestId?: string }
  | { readonly kind: 'ready' }
  | { readonly kind: 'frozen' }
  | { readonly kind: 'invoking'; readonly requestId: string }
  | { readonly kind: 'finishing'; readonly requestId: string }
  | { readonly kind: 'resetting'; readonly reason: ResetReason }
  | { readonly kind: 'cold' }
  | { readonly kind: 'shutting-down'; readonly reason: EndReason }
  | { readonly kind: 'gone' };

export type EnvironmentEvent =
  | { readonly kind: 'sandbox-created' }
  | { readonly kind: 'init-phase-entered'; readonly phase: InitPhase }
  | { readonly kind: 'init-succeeded' }
  | { readonly kind: 'frozen' }
  | { readonly kind: 'thawed' }
  | { readonly kind: 'invoke-started'; readonly requestId: string }
  | { readonly kind: 'answered' }
  | { readonly kind: 'settled' }
  | { readonly kind: 'process-lost'; readonly reason: ResetReason }
  | { readonly kind: 'process-cleared' }
  | { readonly kind: 'shutdown'; readonly reason: EndReason }
  | { readonly kind: 'ended' };

/** The only way from one state to the next. Throws on a move that the life of an environment has not. */
export function transition(state: EnvironmentState, event: EnvironmentEvent): EnvironmentState {
  switch (event.kind) {
    case 'sandbox-created':
      if (state.kind === 'creating') return FIRST_PHASE;
      break;
    case 'init-phase-entered':
      if (state.kind === 'init' && PHASES.indexOf(event.phase) > PHASES.indexOf(state.phase)) {
        return { ...state, phase: event.phase };
      }
      break;
    case 'init-succeeded':
      if (state.kind !== 'init') break;
      return state.requestId === undefined
        ? READY
        : { kind: 'invoking', requestId: state.requestId };
    case 'frozen':
      if (state.kind === 'ready') return FROZEN;
      break;
    case 'thawed':
      if (state.kind === 'frozen') return READY;
      break;
    case 'invoke-started':
      if (state.kind === 'ready') return { kind: 'invoking', requestId: event.requestId };
      if (state.kind === 'cold') return { ...FIRST_PHASE, requestId: event.requestId };
      break;
    case 'answered':
      if (state.kind === 'invoking') return { kind: 'finishing', requestId: state.requestId };
      break;
    case 'settled':
      if (state.kind === 'finishing') return READY;
      break;
    case 'process-lost':
      if (LIVES_WITH_PROCESS.has(state.kind)) return { kind: 'resetting', reason: event.reason };
      break;
    case 'process-cleared':
      if (state.kind === 'resetting') return { kind: 'cold' };
      break;
    case 'shutdown':
      if (state.kind !== 'shutting-down' && state.kind !== 'gone') {
        return { kind: 'shutting-down', reason: event.reason };
      }
      break;
    case 'ended':
      if (state.kind === 'shutting-down') return { kind: 'gone' };
      break;
  }
  throw new Error(`Cannot apply ${event.kind} to an environment that is ${state.kind}`);
}

const PHASES: readonly InitPhase[] = ['extension', 'runtime', 'function'];
// These are entered with each event; one object each is enough.
const FIRST_PHASE = { kind: 'init', phase: 'extension' } as const;
const READY = { kind: 'ready' } as const;
const FROZEN = { kind: 'frozen' } as const;

const LIVES_WITH_PROCESS: ReadonlySet<EnvironmentState['kind']> = new Set([
  'init',
  'ready',
  'frozen',
  'invoking',
  'finishing',
]);
