import type { TelemetryBuffering } from './subscription.ts';

/** What did not fit. */
export interface DroppedTelemetry {
  readonly records: number;
  readonly bytes: number;
}

/**
 * Events that wait for a subscriber, as JSON texts. It holds twice of what the subscriber wants in
 * one batch; what comes beyond that is dropped and counted.
 */
export class TelemetryQueue {
  #texts: { readonly text: string; readonly bytes: number }[] = [];
  #bytes = 0;
  #droppedRecords = 0;
  #droppedBytes = 0;

  get length(): number {
    return this.#texts.length;
  }

  /** Enough for a batch. */
  isFull({ maxItems, maxBytes }: TelemetryBuffering): boolean {
    return this.#texts.length >= maxItems || this.#bytes >= maxBytes;
  }

  add(text: string, { maxItems, maxBytes }: TelemetryBuffering): void {
    const bytes = Buffer.byteLength(text);
    const fits = this.#texts.length < maxItems * 2 && this.#bytes + bytes <= maxBytes * 2;
    // One event alone is always taken: a line of log can be longer than a batch.
    if (!fits && this.#texts.length > 0) {
      this.#droppedRecords += 1;
      this.#droppedBytes += bytes;
      return;
    }
    this.#push(text, bytes);
  }

  /** Adds what must not be dropped; a few small texts at most. */
  addAlways(text: string): void {
    this.#push(text, Buffer.byteLength(text));
  }

  /** The oldest events, as many as a batch holds; at least one where there is one. */
  take({ maxItems, maxBytes }: TelemetryBuffering): string[] {
    let count = 0;
    let bytes = 0;
    for (const one of this.#texts) {
      if (count >= maxItems || (count > 0 && bytes + one.bytes > maxBytes)) break;
      count += 1;
      bytes += one.bytes;
    }
    const taken = this.#texts.slice(0, count);
    this.#texts = this.#texts.slice(count);
    this.#bytes -= bytes;
    return taken.map(({ text }) => text);
  }

  /** What was dropped since the last call; undefined where nothing was. */
  takeDropped(): DroppedTelemetry | undefined {
    if (this.#droppedRecords === 0) return undefined;
    const dropped = { records: this.#droppedRecords, bytes: this.#droppedBytes };
    this.#droppedRecords = 0;
    this.#droppedBytes = 0;
    return dropped;
  }

  #push(text: string, bytes: number): void {
    this.#texts.push({ text, bytes });
    this.#bytes += bytes;
  }
}
