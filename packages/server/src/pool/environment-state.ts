/** Why a process of an environment was ended. */
export type ResetReason = 'timeout' | 'exit' | 'init-failure' | 'protocol-violation';

/** Why an environment came to its end. */
export type EndReason = 'keep-alive' | 'updated' | 'deleted' | 'shutdown' | 'fault';

/**
 * Where an environment is in its life.
 *
 * `cold` has a sandbox but no process: its last one was reset, and the next event runs init again
 * under the function's timeout ("suppressed init"). `settling` has answered but still writes END
 * and REPORT.
 */
export type EnvironmentState =
  | { readonly kind: 'creating' }
  | { readonly kind: 'initialising' }
  | { readonly kind: 'ready' }
  | { readonly kind: 'cold' }
  | { readonly kind: 'invoking'; readonly requestId: string }
  | { readonly kind: 'settling' }
  | { readonly kind: 'resetting'; readonly reason: ResetReason }
  | { readonly kind: 'ending'; readonly reason: EndReason }
  | { readonly kind: 'gone' };

export type EnvironmentEvent =
  | { readonly kind: 'sandbox-created' }
  | { readonly kind: 'init-succeeded' }
  | { readonly kind: 'invoke-started'; readonly requestId: string }
  | { readonly kind: 'answered' }
  | { readonly kind: 'settled' }
  | { readonly kind: 'process-lost'; readonly reason: ResetReason }
  | { readonly kind: 'process-cleared' }
  | { readonly kind: 'end'; readonly reason: EndReason }
  | { readonly kind: 'ended' };

/** The only way from one state to the next. Throws on a move that the life of an environment has not. */
export function transition(state: EnvironmentState, event: EnvironmentEvent): EnvironmentState {
  switch (event.kind) {
    case 'sandbox-created':
      if (state.kind === 'creating') return { kind: 'initialising' };
      break;
    case 'init-succeeded':
      if (state.kind === 'initialising') return { kind: 'ready' };
      break;
    case 'invoke-started':
      if (state.kind === 'ready' || state.kind === 'cold') {
        return { kind: 'invoking', requestId: event.requestId };
      }
      break;
    case 'answered':
      if (state.kind === 'invoking') return { kind: 'settling' };
      break;
    case 'settled':
      if (state.kind === 'settling') return { kind: 'ready' };
      break;
    case 'process-lost':
      if (LIVES_WITH_PROCESS.has(state.kind)) return { kind: 'resetting', reason: event.reason };
      break;
    case 'process-cleared':
      if (state.kind === 'resetting') return { kind: 'cold' };
      break;
    case 'end':
      if (state.kind !== 'ending' && state.kind !== 'gone') {
        return { kind: 'ending', reason: event.reason };
      }
      break;
    case 'ended':
      if (state.kind === 'ending') return { kind: 'gone' };
      break;
  }
  throw new Error(`Cannot apply ${event.kind} to an environment that is ${state.kind}`);
}

const LIVES_WITH_PROCESS: ReadonlySet<EnvironmentState['kind']> = new Set([
  'initialising',
  'ready',
  'invoking',
  'settling',
]);
