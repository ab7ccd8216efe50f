import type { Channel } from './channel.ts';
import type { CodeCache } from './code-cache.ts';
import { packCodeCache, type CachedCode } from './code-cache-file.ts';
import { FRAME } from './frames.ts';

/** Of all code together; the server takes no more. */
const MAX_BYTES = 33_554_432;
/** Less is compiled sooner than it is fetched. */
const MIN_BYTES = 32_768;
const PIECE_BYTES = 262_144;
/** The next event waits for it: what is not taken out by then is left. */
const MAX_MS = 100;

/**
 * Sends the code that V8 has compiled by the end of an event. Nothing of the function runs meanwhile,
 * as the event loop does not turn.
 */
export function deliverCodeCache(cache: CodeCache | undefined, channel: Channel): void {
  const file = cache === undefined ? EMPTY : take(cache);
  let start = 0;
  do {
    const end = Math.min(start + PIECE_BYTES, file.length);
    const header = end === file.length ? '{"last":true}' : '{}';
    channel.send(FRAME.codeCache, header, file.subarray(start, end));
    start = end;
  } while (start < file.length);
}

function take(cache: CodeCache): Buffer {
  const codes: CachedCode[] = [];
  const startedMs = performance.now();
  let bytes = 0;
  for (let code = cache.collect(); code !== undefined; code = cache.collect()) {
    if (bytes + code.code.length <= MAX_BYTES) {
      bytes += code.code.length;
      codes.push(code);
    }
    if (performance.now() - startedMs > MAX_MS) break;
  }
  if (bytes < MIN_BYTES) return EMPTY;
  const file = packCodeCache(codes);
  return file.length <= MAX_BYTES ? file : EMPTY;
}

/** Says that there is nothing to keep. */
const EMPTY = Buffer.alloc(0);
