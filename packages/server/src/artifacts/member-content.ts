import { pipeline } from 'node:stream/promises';
import { createInflateRaw, crc32, inflateRawSync } from 'node:zlib';
import { cannotUnzip, unzippedTooLarge } from './archive-error.ts';
import type { ZipEntry } from './zip-entries.ts';

/** Up to this size the data is inflated in one go: well under a millisecond. */
const INFLATE_AT_ONCE_BYTES = 65_536;
const SLICE_BYTES = 65_536;

/** Counts the bytes that really come out of an archive, over all of its entries. */
export class UnzippedBudget {
  #leftBytes: number;

  constructor(limitBytes: number) {
    this.#leftBytes = limitBytes;
  }

  /** Throws AWS's error where the archive has given more than its limit. */
  take(bytes: number): void {
    this.#leftBytes -= bytes;
    if (this.#leftBytes < 0) throw unzippedTooLarge();
  }
}

/**
 * Gives an entry's content piece by piece to `write`, counted, and checks its length and CRC-32.
 * Stops at the first byte too many, whatever the headers declare.
 */
export async function readContent(
  entry: ZipEntry,
  budget: UnzippedBudget,
  write: (piece: Buffer) => Promise<void>,
): Promise<void> {
  let sizeBytes = 0;
  let checksum = 0;
  const accept = async (piece: Buffer): Promise<void> => {
    sizeBytes += piece.length;
    budget.take(piece.length);
    if (sizeBytes > entry.uncompressedSize) throw cannotUnzip('an entry is larger than declared');
    checksum = crc32(piece, checksum);
    await write(piece);
  };
  if (!entry.deflated) {
    for (const slice of slices(entry.data)) await accept(slice);
  } else if (
    entry.uncompressedSize <= INFLATE_AT_ONCE_BYTES &&
    entry.data.length <= INFLATE_AT_ONCE_BYTES
  ) {
    const content = inflateAtOnce(entry);
    if (content.length > 0) await accept(content);
  } else {
    await inflateStreaming(entry.data, accept);
  }
  if (sizeBytes !== entry.uncompressedSize) throw cannotUnzip('an entry is smaller than declared');
  if (checksum !== entry.crc32) throw cannotUnzip('the checksum of an entry is wrong');
}

function inflateAtOnce(entry: ZipEntry): Buffer {
  try {
    // The bound must not be 0; one byte more than declared is enough to see that there is more.
    return inflateRawSync(entry.data, { maxOutputLength: entry.uncompressedSize + 1 });
  } catch (error) {
    throw cannotUnzip('the data of an entry is damaged', error);
  }
}

async function inflateStreaming(
  data: Buffer,
  accept: (piece: Buffer) => Promise<void>,
): Promise<void> {
  // Tells a fault of the archive from one of the disk, which is not the caller's mistake.
  let acceptError: unknown;
  try {
    await pipeline(
      () => slices(data),
      createInflateRaw({ chunkSize: SLICE_BYTES }),
      async (pieces: AsyncIterable<Buffer>) => {
        for await (const piece of pieces) {
          await accept(piece).catch((error: unknown) => {
            acceptError = error;
            throw error;
          });
        }
      },
    );
  } catch (error) {
    throw acceptError ?? cannotUnzip('the data of an entry is damaged', error);
  }
}

function* slices(data: Buffer): Generator<Buffer> {
  for (let at = 0; at < data.length; at += SLICE_BYTES) yield data.subarray(at, at + SLICE_BYTES);
}
