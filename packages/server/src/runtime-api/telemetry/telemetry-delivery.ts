import type { Duplex } from 'node:stream';

/**
 * Connects to a port on which a program of the sandbox listens. Rejects where nobody does. The
 * connection belongs to the caller.
 */
export type ConnectToSandbox = (port: number, signal: AbortSignal) => Promise<Duplex>;

/** Carries batches to one destination, one at a time. */
export interface TelemetryDelivery extends Disposable {
  /**
   * Settles when the subscriber has taken the batch: answered it (HTTP), or its kernel did (TCP).
   * Rejects otherwise, and then the batch may be sent again, as a whole.
   */
  send(events: readonly string[], signal: AbortSignal): Promise<void>;
  /** Closes what is open. A send under way rejects. */
  [Symbol.dispose](): void;
}
