import { functionArn } from '../domain/function.ts';
import type {
  ColdStart,
  EnvironmentEvents,
  EnvironmentTransition,
} from './environment/environment-events.ts';
import type { EnvironmentState } from './environment/environment-state.ts';

/** What is kept of a transition. */
export interface LedgerEntry {
  readonly environmentId: string;
  readonly functionArn: string;
  readonly version: string;
  /** Milliseconds since the epoch. */
  readonly timeMs: number;
  readonly event: EnvironmentTransition['event'];
  readonly from: EnvironmentState['kind'];
  readonly to: EnvironmentState;
  readonly coldStart?: ColdStart;
}

const MAX_ENTRIES = 4_096;

/** The latest transitions of all environments, in memory. */
export class EnvironmentLedger implements Disposable {
  /** Used as a ring: `#next` is where the oldest is. */
  readonly #transitions: EnvironmentTransition[] = [];
  #next = 0;
  readonly #unsubscribe: () => void;

  constructor(events: EnvironmentEvents) {
    this.#unsubscribe = events.subscribe((transition) => {
      this.#transitions[this.#next] = transition;
      this.#next = (this.#next + 1) % MAX_ENTRIES;
    });
  }

  /** The latest first; of one environment where its id is given. */
  *latest(environmentId?: string): Generator<LedgerEntry> {
    const count = this.#transitions.length;
    for (let back = 1; back <= count; back += 1) {
      const transition = this.#transitions[(this.#next - back + count) % count];
      if (transition === undefined) continue;
      if (environmentId !== undefined && transition.environmentId !== environmentId) continue;
      yield entryOf(transition);
    }
  }

  [Symbol.dispose](): void {
    this.#unsubscribe();
  }
}

function entryOf(transition: EnvironmentTransition): LedgerEntry {
  const { environmentId, version, timeMs, event, from, to, coldStart } = transition;
  return {
    environmentId,
    functionArn: functionArn(version),
    version: version.version,
    timeMs,
    event,
    from: from.kind,
    to,
    ...(coldStart !== undefined && { coldStart }),
  };
}
