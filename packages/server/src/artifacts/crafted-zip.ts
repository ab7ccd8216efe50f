import { once } from 'node:events';
import { buffer } from 'node:stream/consumers';
import { crc32, deflateRawSync } from 'node:zlib';
import { ZipFile } from 'yazl';

/** Test only: one entry of a hand-made archive. Every field may lie. */
export interface CraftedEntry {
  readonly name: string | Buffer;
  readonly content?: string | Buffer;
  /** Unix mode with its type bits; 0o100644 if left out. */
  readonly mode?: number;
  readonly deflate?: boolean;
  readonly flags?: number;
  readonly extra?: Buffer;
  /** What the local header says instead. */
  readonly local?: Partial<HeaderFields>;
  /** What the central directory says instead. */
  readonly central?: Partial<HeaderFields>;
  /** Written between the data and the next entry. */
  readonly trailer?: Buffer;
  /** No local header and data of its own: points to that of an earlier entry. */
  readonly shareWith?: number;
}

interface HeaderFields {
  name: Buffer;
  flags: number;
  method: number;
  crc32: number;
  compressedSize: number;
  uncompressedSize: number;
  extra: Buffer;
  localOffset: number;
}

export interface CraftedEnd {
  readonly entryCount?: number;
  readonly directorySize?: number;
  readonly directoryOffset?: number;
  readonly comment?: Buffer;
  /** Adds a zip64 end record and locator. */
  readonly zip64?: boolean;
  readonly zip64EntryCount?: bigint;
  readonly zip64Offset?: bigint;
}

/** A zip archive byte by byte, for what no honest tool writes. */
export function craftZip(entries: readonly CraftedEntry[], end: CraftedEnd = {}): Buffer {
  const parts: Buffer[] = [];
  const directory: Buffer[] = [];
  const offsets: number[] = [];
  let offset = 0;
  for (const entry of entries) {
    const content = Buffer.from(entry.content ?? '');
    const data = entry.deflate === true ? deflateRawSync(content) : content;
    const localOffset = entry.shareWith === undefined ? offset : (offsets[entry.shareWith] ?? 0);
    offsets.push(localOffset);
    const truth: HeaderFields = {
      name: Buffer.from(entry.name),
      flags: entry.flags ?? 0x800,
      method: entry.deflate === true ? 8 : 0,
      crc32: crc32(content),
      compressedSize: data.length,
      uncompressedSize: content.length,
      extra: entry.extra ?? Buffer.alloc(0),
      localOffset,
    };
    if (entry.shareWith === undefined) {
      const local = [
        localHeader({ ...truth, ...entry.local }),
        data,
        entry.trailer ?? Buffer.alloc(0),
      ];
      parts.push(...local);
      offset += local.reduce((sum, part) => sum + part.length, 0);
    }
    directory.push(centralHeader({ ...truth, ...entry.central }, entry.mode ?? 0o100644));
  }
  return Buffer.concat([...parts, ...directory, endRecords(directory, offset, end)]);
}

/** An extra field with its header. */
export function extraField(id: number, data: Buffer): Buffer {
  const header = Buffer.alloc(4);
  header.writeUInt16LE(id, 0);
  header.writeUInt16LE(data.length, 2);
  return Buffer.concat([header, data]);
}

/** An archive as an honest tool writes it. */
export async function honestZip(
  files: Readonly<Record<string, string | Buffer>>,
  options: { readonly mtime?: Date; readonly mode?: number; readonly zip64?: boolean } = {},
): Promise<Buffer> {
  const zip = new ZipFile();
  const forceZip64Format = options.zip64 ?? false;
  for (const [name, content] of Object.entries(files)) {
    zip.addBuffer(Buffer.from(content), name, {
      mtime: options.mtime ?? new Date(Date.UTC(2024, 1, 3, 4, 5, 6)),
      mode: options.mode ?? 0o100644,
      forceZip64Format,
    });
  }
  zip.end({ forceZip64Format, comment: '' });
  const bytes = buffer(zip.outputStream);
  await once(zip.outputStream, 'end');
  return await bytes;
}

function localHeader(fields: HeaderFields): Buffer {
  const header = Buffer.alloc(30);
  header.writeUInt32LE(0x04034b50, 0);
  header.writeUInt16LE(20, 4);
  writeShared(header, 6, fields);
  return Buffer.concat([header, fields.name, fields.extra]);
}

function centralHeader(fields: HeaderFields, mode: number): Buffer {
  const header = Buffer.alloc(46);
  header.writeUInt32LE(0x02014b50, 0);
  header.writeUInt16LE((3 << 8) | 20, 4);
  header.writeUInt16LE(20, 6);
  writeShared(header, 8, fields);
  header.writeUInt32LE((mode << 16) >>> 0, 38);
  header.writeUInt32LE(fields.localOffset, 42);
  return Buffer.concat([header, fields.name, fields.extra]);
}

/** Flags to lengths: the same run of fields in both headers. */
function writeShared(header: Buffer, at: number, fields: HeaderFields): void {
  header.writeUInt16LE(fields.flags, at);
  header.writeUInt16LE(fields.method, at + 2);
  // 2024-01-01 00:00:00 in DOS format.
  header.writeUInt16LE(0, at + 4);
  header.writeUInt16LE((44 << 9) | (1 << 5) | 1, at + 6);
  header.writeUInt32LE(fields.crc32, at + 8);
  header.writeUInt32LE(fields.compressedSize, at + 12);
  header.writeUInt32LE(fields.uncompressedSize, at + 16);
  header.writeUInt16LE(fields.name.length, at + 20);
  header.writeUInt16LE(fields.extra.length, at + 22);
}

function endRecords(directory: readonly Buffer[], startOffset: number, end: CraftedEnd): Buffer {
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const comment = end.comment ?? Buffer.alloc(0);
  const record = Buffer.alloc(22);
  record.writeUInt32LE(0x06054b50, 0);
  record.writeUInt16LE((end.entryCount ?? directory.length) & 0xffff, 8);
  record.writeUInt16LE((end.entryCount ?? directory.length) & 0xffff, 10);
  record.writeUInt32LE(end.directorySize ?? size, 12);
  record.writeUInt32LE(end.directoryOffset ?? startOffset, 16);
  record.writeUInt16LE(comment.length, 20);
  if (end.zip64 !== true) return Buffer.concat([record, comment]);

  const zip64 = Buffer.alloc(56);
  zip64.writeUInt32LE(0x06064b50, 0);
  zip64.writeBigUInt64LE(44n, 4);
  zip64.writeUInt16LE(45, 12);
  zip64.writeUInt16LE(45, 14);
  const count = end.zip64EntryCount ?? BigInt(directory.length);
  zip64.writeBigUInt64LE(count, 24);
  zip64.writeBigUInt64LE(count, 32);
  zip64.writeBigUInt64LE(BigInt(size), 40);
  zip64.writeBigUInt64LE(BigInt(startOffset), 48);
  const locator = Buffer.alloc(20);
  locator.writeUInt32LE(0x07064b50, 0);
  locator.writeBigUInt64LE(end.zip64Offset ?? BigInt(startOffset + size), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([zip64, locator, record, comment]);
}
