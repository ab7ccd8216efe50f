/** Compiled code of one module. */
export interface CachedCode {
  readonly filename: string;
  /** Of the source, in UTF-16 units. */
  readonly length: number;
  /** CRC-32 of the source as UTF-8. */
  readonly crc: number;
  readonly code: Uint8Array;
}

/** The file of another build of this bootstrap is not read. */
const MAGIC = 'HEARTHC1';
const MAGIC_BYTES = 8;
const INDEX_START = MAGIC_BYTES + 4;
/** V8 copies what is not aligned. */
const ALIGNMENT_BYTES = 8;

type IndexEntry = readonly [
  filename: string,
  length: number,
  crc: number,
  offset: number,
  size: number,
];

/** Eight bytes magic, four bytes length of the index, the index as JSON, then the code. */
export function packCodeCache(codes: readonly CachedCode[]): Buffer {
  let offset = 0;
  const index = codes.map(({ filename, length, crc, code }): IndexEntry => {
    const start = offset;
    offset = aligned(start + code.length);
    return [filename, length, crc, start, code.length];
  });
  const json = Buffer.from(JSON.stringify(index));
  const codeStart = aligned(INDEX_START + json.length);
  const file = Buffer.alloc(codeStart + offset);
  file.write(MAGIC, 'latin1');
  file.writeUInt32BE(json.length, MAGIC_BYTES);
  file.set(json, INDEX_START);
  codes.forEach(({ code }, i) => file.set(code, codeStart + (index[i]?.[3] ?? 0)));
  return file;
}

/** Throws where the file is not one, or not whole. The codes share the memory of `file`. */
export function unpackCodeCache(file: Uint8Array): Map<string, CachedCode> {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength);
  if (bytes.toString('latin1', 0, MAGIC_BYTES) !== MAGIC) throw new Error('no code cache');
  const indexEnd = INDEX_START + bytes.readUInt32BE(MAGIC_BYTES);
  const index: readonly IndexEntry[] = JSON.parse(bytes.toString('utf8', INDEX_START, indexEnd));
  const codeStart = aligned(indexEnd);
  const codes = new Map<string, CachedCode>();
  for (const [filename, length, crc, offset, size] of index) {
    const start = codeStart + offset;
    if (start + size > bytes.length) throw new Error('a code cache that was cut off');
    codes.set(filename, { filename, length, crc, code: bytes.subarray(start, start + size) });
  }
  return codes;
}

function aligned(offset: number): number {
  return Math.ceil(offset / ALIGNMENT_BYTES) * ALIGNMENT_BYTES;
}
