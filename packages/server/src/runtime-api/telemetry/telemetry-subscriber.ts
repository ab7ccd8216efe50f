import type { Clock, Timer } from '../../clock/clock.ts';
import { encodeEvent, type TimedEvent } from './event-form.ts';
import { HttpDelivery } from './http-delivery.ts';
import type { TelemetryDestination, TelemetrySubscription } from './subscription.ts';
import { TcpDelivery } from './tcp-delivery.ts';
import type { ConnectToSandbox, TelemetryDelivery } from './telemetry-delivery.ts';
import { logsDropped } from './telemetry-event.ts';
import { TelemetryQueue } from './telemetry-queue.ts';

/** Pause after the first failed delivery; each further one doubles it. (unverified): AWS's figures. */
export const FIRST_BACKOFF_MS = 100;
export const MAX_BACKOFF_MS = 10_000;

/** A listener that takes longer, while the environment runs, gets the batch again. (unverified) */
export const DELIVERY_TIMEOUT_MS = 30_000;

const DROP_REASON =
  'Consumer seems to have fallen behind as it has not acknowledged receipt of logs.';

/**
 * One extension's subscription: events are queued, and sent as a batch when there are enough, when
 * the first has waited long enough, or on `flush`. One batch at a time; one that fails is sent again
 * until it is taken. Meanwhile the queue is bounded, and what was dropped is told afterwards.
 *
 * While paused nothing is begun. A batch on its way stays so: its listener is frozen.
 */
export class TelemetrySubscriber implements Disposable {
  readonly #clock: Clock;
  readonly #connect: ConnectToSandbox;
  readonly #queue = new TelemetryQueue();
  #subscription: TelemetrySubscription;
  #delivery: TelemetryDelivery;
  /** The batch that is being sent, or has to be sent again. */
  #batch: readonly string[] | undefined;
  #sending: AbortController | undefined;
  #failures = 0;
  /** When the next batch is due on the clock's monotonic scale; undefined where none waits. */
  #dueMs: number | undefined;
  #timer: Timer | undefined;
  #sendingTimer: Timer | undefined;
  #paused = false;
  #disposed = false;
  #flushes: (() => void)[] = [];

  constructor(subscription: TelemetrySubscription, connect: ConnectToSandbox, clock: Clock) {
    this.#subscription = subscription;
    this.#connect = connect;
    this.#clock = clock;
    this.#delivery = deliveryTo(subscription.destination, connect);
  }

  get subscription(): TelemetrySubscription {
    return this.#subscription;
  }

  /** Subscribing again changes the subscription; what waits goes to the new destination. */
  change(subscription: TelemetrySubscription): void {
    this.#delivery[Symbol.dispose]();
    this.#delivery = deliveryTo(subscription.destination, this.#connect);
    this.#subscription = subscription;
    this.#failures = 0;
  }

  offer(event: TimedEvent): void {
    if (this.#disposed || !this.#subscription.types.includes(event.type)) return;
    const { buffering, schema } = this.#subscription;
    for (const text of encodeEvent(event, schema)) this.#queue.add(text, buffering);
    if (this.#batch !== undefined || this.#queue.length === 0) return;
    if (this.#queue.isFull(buffering)) this.#dueMs = this.#clock.monotonicMs();
    else if (this.#dueMs === undefined) {
      this.#dueMs = this.#clock.monotonicMs() + buffering.timeoutMs;
    } else return;
    this.#arm();
  }

  /**
   * Sends what waits, without waiting longer. Settles when all of it is taken, or when a batch was
   * not, or at once where the environment is frozen: a listener that is gone holds nobody up.
   */
  flush(): Promise<void> {
    if (this.#isDrained || this.#paused || this.#disposed) return Promise.resolve();
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#flushes.push(resolve);
    this.#dueMs = this.#clock.monotonicMs();
    this.#arm();
    return promise;
  }

  pause(): void {
    this.#paused = true;
    this.#timer?.cancel();
    this.#timer = undefined;
    this.#sendingTimer?.cancel();
    this.#settleFlushes();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    if (this.#sending !== undefined) this.#limit(this.#sending);
    this.#arm();
  }

  [Symbol.dispose](): void {
    this.#disposed = true;
    this.#timer?.cancel();
    this.#sendingTimer?.cancel();
    this.#sending?.abort();
    this.#delivery[Symbol.dispose]();
    this.#settleFlushes();
  }

  get #isDrained(): boolean {
    return this.#batch === undefined && this.#queue.length === 0;
  }

  /** Waits until a batch is due, where nothing else is in its way. */
  #arm(): void {
    if (this.#paused || this.#disposed || this.#sending !== undefined) return;
    if (this.#dueMs === undefined) return;
    this.#timer?.cancel();
    const delayMs = this.#dueMs - this.#clock.monotonicMs();
    if (delayMs > 0) this.#timer = this.#clock.startTimer(delayMs, () => this.#send());
    else this.#send();
  }

  #send(): void {
    this.#timer = undefined;
    this.#dueMs = undefined;
    this.#batch ??= this.#queue.take(this.#subscription.buffering);
    const sending = new AbortController();
    this.#sending = sending;
    this.#limit(sending);
    this.#delivery.send(this.#batch, sending.signal).then(
      () => this.#sent(),
      () => this.#failed(),
    );
  }

  #limit(sending: AbortController): void {
    this.#sendingTimer = this.#clock.startTimer(DELIVERY_TIMEOUT_MS, () => sending.abort());
  }

  #sent(): void {
    this.#sendingDone();
    this.#batch = undefined;
    this.#failures = 0;
    this.#tellDropped();
    const { buffering } = this.#subscription;
    if (this.#queue.length > 0) {
      const atOnce = this.#flushes.length > 0 || this.#queue.isFull(buffering);
      this.#dueMs = this.#clock.monotonicMs() + (atOnce ? 0 : buffering.timeoutMs);
    } else {
      this.#settleFlushes();
    }
    this.#arm();
  }

  #failed(): void {
    this.#sendingDone();
    this.#settleFlushes();
    const backoffMs = Math.min(MAX_BACKOFF_MS, FIRST_BACKOFF_MS * 2 ** this.#failures);
    this.#failures = Math.min(this.#failures + 1, 30);
    this.#dueMs = this.#clock.monotonicMs() + backoffMs;
    this.#arm();
  }

  #sendingDone(): void {
    this.#sending = undefined;
    this.#sendingTimer?.cancel();
  }

  #tellDropped(): void {
    const { schema, types } = this.#subscription;
    const dropped = this.#queue.takeDropped();
    if (dropped === undefined || !types.includes('platform')) return;
    const event = logsDropped({
      reason: DROP_REASON,
      droppedRecords: dropped.records,
      droppedBytes: dropped.bytes,
    });
    const timed = { timeMs: this.#clock.nowMs(), type: 'platform', event } as const;
    for (const text of encodeEvent(timed, schema)) this.#queue.addAlways(text);
  }

  #settleFlushes(): void {
    for (const settle of this.#flushes.splice(0)) settle();
  }
}

function deliveryTo(
  destination: TelemetryDestination,
  connect: ConnectToSandbox,
): TelemetryDelivery {
  return destination.protocol === 'HTTP'
    ? new HttpDelivery(destination, connect)
    : new TcpDelivery(destination.port, connect);
}
