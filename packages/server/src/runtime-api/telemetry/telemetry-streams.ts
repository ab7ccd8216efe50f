import type { Clock } from '../../clock/clock.ts';
import { within } from '../../clock/within.ts';
import type { LogRecord, TimedEvent } from './event-form.ts';
import { telemetrySubscription, type PlatformEvent } from './telemetry-event.ts';
import type { TelemetryApi, TelemetrySubscription } from './subscription.ts';
import type { ConnectToSandbox } from './telemetry-delivery.ts';
import { TelemetrySubscriber } from './telemetry-subscriber.ts';

/** How much of the time before the first subscription is kept for those who subscribe during init. */
export const MAX_EARLY_EVENTS = 1_000;
const MAX_EARLY_BYTES = 262_144;

export type SubscriptionListener = (
  api: TelemetryApi,
  name: string,
  types: readonly string[],
) => void;

export interface TelemetryOptions {
  readonly clock: Clock;
  /** Connects to a port of the sandbox. */
  readonly connect: ConnectToSandbox;
  /** Told of each subscription: the TELEMETRY or LOGS line of the log. Must not throw. */
  readonly onSubscribed?: SubscriptionListener;
}

/**
 * What one life of an execution environment tells its extensions: events of the platform, and what
 * function and extensions print (AWS's Telemetry API and the Logs API before it). Everything is
 * bounded; nothing here waits for an extension but `flush`.
 *
 * Subscriptions can be made until `closeSubscriptions`, and are given what has happened before them.
 * Once there can be no subscriber any more, publishing costs nothing.
 */
export class TelemetryStreams implements Disposable {
  readonly #options: TelemetryOptions;
  readonly #subscribers = new Map<string, TelemetrySubscriber>();
  #early: TimedEvent[] | undefined = [];
  #earlyBytes = 0;

  constructor(options: TelemetryOptions) {
    this.#options = options;
  }

  /** False after `closeSubscriptions`. */
  get isOpen(): boolean {
    return this.#early !== undefined;
  }

  /** False where what is published reaches nobody and never will: it need not be put together. */
  get isInUse(): boolean {
    return this.isOpen || this.#subscribers.size > 0;
  }

  /** The subscription of an extension; undefined where it has none. */
  subscriptionOf(name: string): TelemetrySubscription | undefined {
    return this.#subscribers.get(name)?.subscription;
  }

  /** Subscribes an extension; a second time, changes its subscription. Not after closing. */
  subscribe(name: string, subscription: TelemetrySubscription): void {
    if (this.#early === undefined) throw new Error('Cannot subscribe as subscriptions are closed');
    const { clock, connect, onSubscribed } = this.#options;
    const known = this.#subscribers.get(name);
    if (known === undefined) {
      const subscriber = new TelemetrySubscriber(subscription, connect, clock);
      this.#subscribers.set(name, subscriber);
      for (const event of this.#early) subscriber.offer(event);
    } else {
      known.change(subscription);
    }
    onSubscribed?.(subscription.api, name, subscription.types);
    this.publish(telemetrySubscription(name, subscription.types));
  }

  /** Init is over. What was kept for later subscribers goes. */
  closeSubscriptions(): void {
    this.#early = undefined;
  }

  /** `timeMs`: since the epoch. */
  publish(event: PlatformEvent, timeMs: number = this.#options.clock.nowMs()): void {
    if (this.isInUse) this.#offer({ timeMs, type: 'platform', event });
  }

  /** A line that the function or an extension printed. `timeMs`: since the epoch. */
  publishLog(
    source: 'function' | 'extension',
    record: LogRecord,
    timeMs: number = this.#options.clock.nowMs(),
  ): void {
    if (this.isInUse) this.#offer({ timeMs, type: source, record });
  }

  /** The environment is about to be frozen: nothing is begun until `resume`. */
  pause(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.pause();
  }

  /** What has become due meanwhile is sent at once. */
  resume(): void {
    for (const subscriber of this.#subscribers.values()) subscriber.resume();
  }

  /** Sends what waits. Settles when it is taken or could not be delivered, after `limitMs` at most. */
  async flush(limitMs: number): Promise<void> {
    if (this.#subscribers.size === 0) return;
    const flushes = [...this.#subscribers.values()].map((subscriber) => subscriber.flush());
    await within(this.#options.clock, limitMs, Promise.all(flushes));
  }

  /** Closes connections and forgets what waits. Nobody can subscribe any more. */
  [Symbol.dispose](): void {
    this.closeSubscriptions();
    for (const subscriber of this.#subscribers.values()) subscriber[Symbol.dispose]();
    this.#subscribers.clear();
  }

  #offer(event: TimedEvent): void {
    for (const subscriber of this.#subscribers.values()) subscriber.offer(event);
    if (this.#early === undefined || this.#early.length >= MAX_EARLY_EVENTS) return;
    // Events of the platform are small, lines of log need not be.
    const bytes = event.type === 'platform' ? 0 : recordBytes(event.record);
    if (this.#earlyBytes + bytes > MAX_EARLY_BYTES) return;
    this.#earlyBytes += bytes;
    this.#early.push(event);
  }
}

function recordBytes(record: LogRecord): number {
  if (typeof record === 'string') return Buffer.byteLength(record);
  try {
    return Buffer.byteLength(JSON.stringify(record));
  } catch {
    // It cannot be written, and so cannot be sent either.
    return Number.POSITIVE_INFINITY;
  }
}
