import { open } from 'node:fs/promises';

const BLOCK_BYTES = 65_536;
const NEWLINE = 0x0a;

/**
 * The lines of a file's first `bytes` bytes, the last one first, block by block: a reader that wants
 * the newest few reads the end only. Yields line arrays, each line without its line break. A file
 * that is gone, or shorter than it was, has no lines.
 */
export async function* readLinesBackwards(path: string, bytes: number): AsyncGenerator<Buffer[]> {
  const handle = await open(path, 'r').catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (handle === undefined) return;
  try {
    // Parts of the line that begins before what was read so far, the last part first.
    let parts: Buffer[] = [];
    for (let end = bytes; end > 0;) {
      const start = Math.max(0, end - BLOCK_BYTES);
      const block = Buffer.allocUnsafe(end - start);
      const { bytesRead } = await handle.read(block, 0, block.length, start);
      if (bytesRead < block.length) return;
      const lines: Buffer[] = [];
      let lineEnd = block.length;
      for (let at = previousNewline(block, lineEnd); at !== -1; at = previousNewline(block, at)) {
        parts.push(block.subarray(at + 1, lineEnd));
        pushLine(lines, parts);
        parts = [];
        lineEnd = at;
      }
      parts.push(block.subarray(0, lineEnd));
      if (start === 0) pushLine(lines, parts);
      yield lines;
      end = start;
    }
  } finally {
    await handle.close();
  }
}

function previousNewline(block: Buffer, before: number): number {
  // A negative offset would count from the end.
  return before === 0 ? -1 : block.lastIndexOf(NEWLINE, before - 1);
}

function pushLine(lines: Buffer[], parts: readonly Buffer[]): void {
  const line =
    parts.length === 1 && parts[0] !== undefined ? parts[0] : Buffer.concat(parts.toReversed());
  if (line.length > 0) lines.push(line);
}
