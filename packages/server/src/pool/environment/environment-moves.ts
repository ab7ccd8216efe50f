import type { Clock } from '../../clock/clock.ts';
import type { ColdStart, EnvironmentEvents, EnvironmentTransition } from './environment-events.ts';
import { transition, type EnvironmentEvent, type EnvironmentState } from './environment-state.ts';

/** Where one environment is in its life. Each move is published. */
export class EnvironmentMoves {
  readonly #about: Pick<EnvironmentTransition, 'environmentId' | 'version' | 'logStreamName'>;
  readonly #events: EnvironmentEvents;
  readonly #clock: Clock;
  #state: EnvironmentState = { kind: 'creating' };

  constructor(
    about: Pick<EnvironmentTransition, 'environmentId' | 'version' | 'logStreamName'>,
    { events, clock }: { readonly events: EnvironmentEvents; readonly clock: Clock },
  ) {
    this.#about = about;
    this.#events = events;
    this.#clock = clock;
  }

  get state(): EnvironmentState {
    return this.#state;
  }

  /** Throws on a move that the life of an environment has not. */
  apply(event: EnvironmentEvent, coldStart?: ColdStart): void {
    const from = this.#state;
    this.#state = transition(from, event);
    if (!this.#events.isObserved) return;
    this.#events.publish({
      ...this.#about,
      event,
      from,
      to: this.#state,
      timeMs: this.#clock.nowMs(),
      ...(coldStart !== undefined && { coldStart }),
    });
  }
}
