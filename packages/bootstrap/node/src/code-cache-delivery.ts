import type { Channel } from './channel.ts';
import type { CodeCache } from './code-cache.ts';
import { packCodeCache, type CachedCode } from './code-cache-file.ts';
import { FRAME } from './frames.ts';

/** Of all code together; the server takes no more. */
const MAX_BYTES = 33_554_432;
/** Less is compiled sooner than it is fetched. */
const MIN_BYTES = 32_768;
/** Small enough that an answer which becomes due is not held up. */
const CHUNK_BYTES = 262_144;

/**
 * Sends the code that V8 has compiled by the end of the first event, once, while the function has
 * nothing to do: an event that arrives meanwhile goes first.
 */
export class CodeCacheDelivery {
  readonly #cache: CodeCache | undefined;
  readonly #channel: Channel;
  readonly #isIdle: () => boolean;
  readonly #codes: CachedCode[] = [];
  #bytes = 0;
  #isScheduled = false;
  #isDone = false;

  /** Without a cache, as older releases of Node.js are, there is nothing to keep. */
  constructor(cache: CodeCache | undefined, channel: Channel, isIdle: () => boolean) {
    this.#cache = cache;
    this.#channel = channel;
    this.#isIdle = isIdle;
  }

  /** Call after each answer: goes on where an event interrupted it. */
  resume(): void {
    if (this.#isDone || this.#isScheduled) return;
    this.#isScheduled = true;
    setImmediate(() => {
      this.#isScheduled = false;
      if (this.#isIdle()) this.#step();
    });
  }

  /** One script for each turn of the event loop, so that an event waits for no more than that. */
  #step(): void {
    const code = this.#cache?.collect();
    if (code === undefined) {
      this.#isDone = true;
      this.#sendFirst();
      return;
    }
    this.#bytes += code.code.length;
    if (this.#bytes <= MAX_BYTES) this.#codes.push(code);
    this.resume();
  }

  #sendFirst(): void {
    const isUseful = this.#bytes >= MIN_BYTES && this.#bytes <= MAX_BYTES;
    const file = isUseful ? packCodeCache(this.#codes) : EMPTY;
    this.#codes.length = 0;
    this.#send(file.length <= MAX_BYTES ? file : EMPTY, 0);
  }

  #send(file: Buffer, start: number): void {
    const end = Math.min(start + CHUNK_BYTES, file.length);
    const isLast = end === file.length;
    const header = isLast ? '{"last":true}' : '{}';
    this.#channel.send(FRAME.codeCache, header, file.subarray(start, end), () => {
      if (!isLast) setImmediate(() => this.#send(file, end));
    });
  }
}

/** Says that there is nothing to keep. */
const EMPTY = Buffer.alloc(0);
