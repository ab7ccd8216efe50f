import type { Segment, SegmentGroup } from './segment-group.ts';

/** Bytes on disk of all groups, kept within bounds by removing the files written to longest ago. */
export class LogRetention {
  readonly #groupBytes: number;
  readonly #totalBytes: number;
  #usedBytes = 0;

  constructor(limits: { readonly groupBytes: number; readonly totalBytes: number }) {
    this.#groupBytes = limits.groupBytes;
    this.#totalBytes = limits.totalBytes;
  }

  /** Counts bytes that were written, or (negative) that are gone. */
  count(bytes: number): void {
    this.#usedBytes += bytes;
  }

  /** Removes what is too much after a write to `written`, whose last file is always kept. */
  async enforce(written: SegmentGroup, all: Iterable<SegmentGroup>): Promise<void> {
    let groupBytes = sizeOf(written);
    for (const segment of written.segments.slice(0, -1)) {
      if (groupBytes <= this.#groupBytes) break;
      groupBytes -= segment.bytes;
      await this.#remove(written, segment);
    }
    while (this.#usedBytes > this.#totalBytes) {
      const oldest = oldestSegment(all, written.segments.at(-1));
      if (oldest === undefined) return;
      await this.#remove(oldest.group, oldest.segment);
    }
  }

  async #remove(group: SegmentGroup, segment: Segment): Promise<void> {
    await group.removeSegment(segment);
    this.#usedBytes -= segment.bytes;
  }
}

export function sizeOf(group: SegmentGroup): number {
  return group.segments.reduce((sum, segment) => sum + segment.bytes, 0);
}

function oldestSegment(
  groups: Iterable<SegmentGroup>,
  kept: Segment | undefined,
): { group: SegmentGroup; segment: Segment } | undefined {
  let oldest: { group: SegmentGroup; segment: Segment } | undefined;
  for (const group of groups) {
    // A group's first file is always its oldest.
    const segment = group.segments[0];
    if (segment === undefined || segment === kept) continue;
    if (oldest === undefined || segment.lastWrite < oldest.segment.lastWrite) {
      oldest = { group, segment };
    }
  }
  return oldest;
}
