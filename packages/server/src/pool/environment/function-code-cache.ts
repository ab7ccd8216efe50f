import type { CodeCacheCollection, CodeCacheStore } from '../../artifacts/code-cache-store.ts';
import type { Clock, Timer } from '../../clock/clock.ts';
import type { CodeCacheTerms } from '../../runtime-api/runtime-session.ts';
import type { LifeEnd } from './guest-life.ts';

/**
 * How long an environment that was asked for its compiled code stays awake after its first event, with
 * the machine's whole CPU. The bootstrap sends it in one go, before anything of the function runs.
 */
const DELIVERY_MS = 500;

/** What one environment has to do with the compiled code of its function: use, or collect it. */
export class FunctionCodeCache implements Disposable {
  /** Of the host; undefined where there is none yet. */
  readonly folder: string | undefined;
  readonly #store: CodeCacheStore;
  readonly #key: string;
  readonly #clock: Clock;
  #isRejected = false;
  #collection: CodeCacheCollection | undefined;
  #delivery: { readonly timer: Timer; readonly onOver: () => void } | undefined;

  constructor(store: CodeCacheStore, key: string, clock: Clock) {
    this.#store = store;
    this.#key = key;
    this.#clock = clock;
    this.folder = store.folder(key);
  }

  /** For a life that begins; `guestFolder` is where it sees `folder`. */
  terms(guestFolder: string): CodeCacheTerms {
    this.#endCollection();
    if (this.folder !== undefined && !this.#isRejected) return { folder: guestFolder };
    const collection = this.#store.collect(this.#key);
    if (collection === undefined) return {};
    this.#collection = collection;
    return {
      sink: {
        add: (chunk) => collection.add(chunk),
        end: () => {
          collection.end();
          if (this.#collection !== collection) return;
          this.#collection = undefined;
          this.#overDelivery();
        },
      },
    };
  }

  /** Code that does not fit is told of; code that V8 cannot take may also end the process. */
  initEnded(end: LifeEnd): void {
    const isBad = end.kind === 'ready' ? end.codeCacheRejected === true : end.kind === 'exited';
    if (!isBad || this.folder === undefined || this.#isRejected) return;
    this.#isRejected = true;
    this.#store.reject(this.#key);
  }

  /** An event was answered: true where compiled code may now come, until `onOver` is called. */
  awaitDelivery(onOver: () => void): boolean {
    if (this.#collection === undefined || this.#delivery !== undefined) return false;
    const timer = this.#clock.startTimer(DELIVERY_MS, () => this.#endCollection());
    this.#delivery = { timer, onOver };
    return true;
  }

  get isDelivering(): boolean {
    return this.#delivery !== undefined;
  }

  [Symbol.dispose](): void {
    this.#endCollection();
  }

  #endCollection(): void {
    this.#collection?.[Symbol.dispose]();
    this.#collection = undefined;
    this.#overDelivery();
  }

  #overDelivery(): void {
    const delivery = this.#delivery;
    if (delivery === undefined) return;
    this.#delivery = undefined;
    delivery.timer.cancel();
    delivery.onOver();
  }
}
