import { constants, mkdir, open, readdir, rm, stat, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';

const SEGMENT_NAME = /^(\d{10})\.jsonl$/;
const NEWLINE = 0x0a;

/** One file of a group's log. */
export interface Segment {
  readonly path: string;
  /** Whole lines. What lies behind them in the file, if anything, is the torn end of a failed write. */
  bytes: number;
  /** Orders the segments of all groups by their last write. */
  lastWrite: number;
  /** Newest timestamp of its events; undefined until all of them were seen. */
  newestMs: number | undefined;
}

/**
 * The files of one log group: `<directory>/0000000001.jsonl` and so on, only ever appended to. They
 * are opened for each batch, so that thousands of groups hold no descriptors. Writes and removals
 * have to be called one at a time.
 */
export class SegmentGroup {
  readonly directory: string;
  readonly #maxSegmentBytes: number;
  #segments: Segment[] = [];
  #nextNumber = 1;
  /** The last segment takes more. */
  #isOpen = false;
  /** The last segment is an earlier server's, which may have died inside a line. */
  #mayBeTorn = false;

  constructor(directory: string, maxSegmentBytes: number) {
    this.directory = directory;
    this.#maxSegmentBytes = maxSegmentBytes;
  }

  /** Finds the segments of an earlier server; `lastWrite` holds the time of each file. */
  async load(): Promise<void> {
    const names = (await readdir(this.directory)).filter((name) => SEGMENT_NAME.test(name)).sort();
    this.#segments = await Promise.all(
      names.map(async (name) => {
        const path = join(this.directory, name);
        const { size, mtimeMs } = await stat(path);
        return { path, bytes: size, lastWrite: mtimeMs, newestMs: undefined };
      }),
    );
    this.#nextNumber = Number(SEGMENT_NAME.exec(names.at(-1) ?? '')?.[1] ?? 0) + 1;
    this.#isOpen = this.#mayBeTorn = names.length > 0;
  }

  /** Oldest first. */
  get segments(): readonly Segment[] {
    return this.#segments;
  }

  /**
   * Appends whole lines, whose newest event is of `newestMs`. Where it rejects, none of them will be
   * read, and the next call starts from a sound end.
   */
  async append(lines: Buffer, newestMs: number, writeNumber: number): Promise<void> {
    const { segment, handle } = await this.#open(lines.length);
    try {
      await writeAll(handle, lines);
      await handle.close();
    } catch (error) {
      await handle.truncate(segment.bytes).catch(() => undefined);
      await handle.close().catch(() => undefined);
      if (segment.bytes === 0) await this.removeSegment(segment).catch(() => undefined);
      throw error;
    }
    segment.bytes += lines.length;
    segment.lastWrite = writeNumber;
    if (segment.newestMs !== undefined) segment.newestMs = Math.max(segment.newestMs, newestMs);
  }

  async removeSegment(segment: Segment): Promise<void> {
    await rm(segment.path, { force: true });
    if (this.#segments.at(-1) === segment) this.#isOpen = false;
    this.#segments = this.#segments.filter((other) => other !== segment);
  }

  async removeAll(): Promise<void> {
    await rm(this.directory, { recursive: true, force: true });
    this.#segments = [];
    this.#isOpen = false;
  }

  /** The last segment where it has room and is as it was left, otherwise a new one. */
  async #open(moreBytes: number): Promise<{ segment: Segment; handle: FileHandle }> {
    await mkdir(this.directory, { recursive: true, mode: 0o700 });
    const last = this.#segments.at(-1);
    if (last !== undefined && this.#isOpen && last.bytes + moreBytes <= this.#maxSegmentBytes) {
      const handle = await openExisting(last.path);
      if (handle !== undefined) {
        if (await this.#isAsItWasLeft(last, handle)) return { segment: last, handle };
        await handle.close();
      }
    }
    const name = `${String(this.#nextNumber).padStart(10, '0')}.jsonl`;
    const path = join(this.directory, name);
    const handle = await open(path, 'ax', 0o600);
    this.#nextNumber += 1;
    const newestMs = Number.NEGATIVE_INFINITY;
    const segment = { path, bytes: 0, lastWrite: Number.POSITIVE_INFINITY, newestMs };
    this.#segments = [...this.#segments, segment];
    this.#isOpen = true;
    this.#mayBeTorn = false;
    return { segment, handle };
  }

  /** False where the file ends inside a line, or somebody else has changed it. */
  async #isAsItWasLeft(segment: Segment, handle: FileHandle): Promise<boolean> {
    if ((await handle.stat()).size !== segment.bytes) return false;
    if (!this.#mayBeTorn) return true;
    const last = Buffer.alloc(1);
    await handle.read(last, 0, 1, Math.max(0, segment.bytes - 1));
    if (segment.bytes > 0 && last[0] !== NEWLINE) return false;
    this.#mayBeTorn = false;
    return true;
  }
}

/** For reading and appending; undefined where it is gone. */
async function openExisting(path: string): Promise<FileHandle | undefined> {
  try {
    return await open(path, constants.O_RDWR | constants.O_APPEND);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

async function writeAll(handle: FileHandle, bytes: Buffer): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += (await handle.write(bytes, at)).bytesWritten;
  }
}
