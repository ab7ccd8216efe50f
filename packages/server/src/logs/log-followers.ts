import type { StoredLogEvent } from './log-store.ts';

type Listener = (event: StoredLogEvent) => void;

/** Who follows which group, by the group's key. */
export class LogFollowers {
  readonly #byGroup = new Map<string, Set<{ fromSequence: number; listener: Listener }>>();
  readonly #onFault: (error: Error) => void;

  constructor(onFault: (error: Error) => void) {
    this.#onFault = onFault;
  }

  /** Gives the listener what is appended to the group from `fromSequence` on. */
  add(groupKey: string, fromSequence: number, listener: Listener): () => void {
    const follower = { fromSequence, listener };
    const followers = this.#byGroup.get(groupKey) ?? new Set();
    this.#byGroup.set(groupKey, followers.add(follower));
    return () => {
      followers.delete(follower);
      if (followers.size === 0 && this.#byGroup.get(groupKey) === followers) {
        this.#byGroup.delete(groupKey);
      }
    };
  }

  isFollowed(groupKey: string): boolean {
    return this.#byGroup.has(groupKey);
  }

  /** A listener that throws is reported and stays; it never stops the writing. */
  tell(groupKey: string, sequence: number, event: StoredLogEvent): void {
    for (const { fromSequence, listener } of this.#byGroup.get(groupKey) ?? []) {
      if (sequence < fromSequence) continue;
      try {
        listener(event);
      } catch (error) {
        this.#onFault(new Error('Cannot follow a log group as a listener threw', { cause: error }));
      }
    }
  }

  clear(): void {
    this.#byGroup.clear();
  }
}
