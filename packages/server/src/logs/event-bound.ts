/**
 * The most bytes of UTF-8 that one log event holds. It is what CloudWatch Logs took for one event
 * until April 2025 (1 MB since then), and what tools that read logs are made for. Longer ones are
 * split into several.
 */
export const MAX_EVENT_BYTES = 262_144;

/**
 * Where to cut `bytes` so that a piece of at most `limitBytes` ends between two characters. Bytes
 * that are no UTF-8 are cut at the limit.
 */
export function cutBefore(bytes: Uint8Array, limitBytes: number): number {
  for (let back = 1; back <= 3 && back < limitBytes; back += 1) {
    const byte = bytes[limitBytes - back] ?? 0;
    if (byte < 0x80) return limitBytes;
    if (byte >= 0xc0) return sequenceBytes(byte) > back ? limitBytes - back : limitBytes;
  }
  return limitBytes;
}

/** Length that the first byte of a character announces. */
function sequenceBytes(first: number): number {
  if (first >= 0xf0) return 4;
  return first >= 0xe0 ? 3 : 2;
}

/** The message in pieces of at most `limitBytes` bytes each; usually the message itself. */
export function splitMessage(message: string, limitBytes: number = MAX_EVENT_BYTES): string[] {
  // No character of a string takes more than three bytes.
  if (message.length * 3 <= limitBytes) return [message];
  let bytes: Uint8Array = Buffer.from(message);
  const pieces: string[] = [];
  while (bytes.length > limitBytes) {
    const cut = cutBefore(bytes, limitBytes);
    pieces.push(text(bytes.subarray(0, cut)));
    bytes = bytes.subarray(cut);
  }
  pieces.push(text(bytes));
  return pieces;
}

function text(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString();
}
