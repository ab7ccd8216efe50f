import { closeSync, openSync } from 'node:fs';
import type { NetworkCalls } from '../../../system-calls/network-calls.ts';

const OWN_NAMESPACE = '/proc/thread-self/ns/net';

/**
 * The network namespace that the server's thread is in, and its way into others and back. Whatever
 * is done elsewhere is done in one turn of the event loop: nothing else of the server runs there.
 */
export class ThreadNetwork implements Disposable {
  readonly calls: NetworkCalls;
  readonly #own: number;
  #disposed = false;

  constructor(calls: NetworkCalls) {
    this.calls = calls;
    this.#own = openSync(OWN_NAMESPACE, 'r');
  }

  /** Calls `work`, which must not wait for anything, in another namespace. */
  inside<T>(namespace: number, work: () => T): T {
    this.#checkWayBack();
    this.calls.enterNetwork(namespace);
    try {
      return work();
    } finally {
      this.#return();
    }
  }

  /**
   * Makes a namespace; the caller closes the descriptor, with which it goes once nothing is left in
   * it. It has a `lo` that is down, and nothing else.
   */
  create(): number {
    this.#checkWayBack();
    this.calls.enterNewNetwork();
    try {
      return openSync(OWN_NAMESPACE, 'r');
    } finally {
      this.#return();
    }
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    closeSync(this.#own);
  }

  #checkWayBack(): void {
    if (this.#disposed) throw new Error('Cannot enter a network as the way back is closed');
  }

  #return(): void {
    try {
      this.calls.enterNetwork(this.#own);
    } catch {
      // The kernel has no reason to refuse it. A server must not go on in a function's network.
      process.abort();
    }
  }
}
