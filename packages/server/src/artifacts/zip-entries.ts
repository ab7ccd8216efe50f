import { crc32 } from 'node:zlib';
import {
  fromBufferPromise,
  parseExtraFields,
  type Entry,
  type ExtraField,
  type LocalFileHeader,
} from 'yauzl';
import { ServiceError } from '../domain/service-error.ts';
import { cannotUnzip, emptyArchive } from './archive-error.ts';
import { MAX_ARCHIVE_NODES } from './archive-limits.ts';
import { readCentralDirectory } from './zip-end-record.ts';

const CENTRAL_HEADER_BYTES = 46;
const METHOD_STORED = 0;
const METHOD_DEFLATED = 8;
/** Encrypted, sizes in a data descriptor, strong encryption, masked headers. */
const FLAG_DATA_DESCRIPTOR = 1 << 3;
const COMPARED_FLAGS = (1 << 0) | FLAG_DATA_DESCRIPTOR | (1 << 6) | (1 << 13);
const REFUSED_FLAGS = (1 << 0) | (1 << 6) | (1 << 13);
const ZIP64_FIELD = 0x0001;
const UNICODE_PATH_FIELD = 0x7075;
const UNSET_32 = 0xffffffff;
const DESCRIPTOR_SIGNATURE = 0x08074b50;

/** One entry whose two headers agree, with the place of its data. */
export interface ZipEntry {
  /** The name's bytes, as the archiver meant them. */
  readonly name: Buffer;
  readonly externalFileAttributes: number;
  readonly extraFields: readonly ExtraField[];
  readonly modifiedAt: Date;
  readonly deflated: boolean;
  readonly crc32: number;
  /** As declared; what really comes out has to be the same. */
  readonly uncompressedSize: number;
  /** A view of the archive: nothing is copied. */
  readonly data: Buffer;
}

interface Extent {
  readonly start: number;
  readonly end: number;
}

/**
 * Reads all entries of an archive that is held in memory. Each entry's local header is compared with
 * the central directory, and no two entries may share bytes: overlapping entries are how a small
 * archive pretends to be a huge one. Rejects with a ServiceError where the archive is refused.
 */
export async function readZipEntries(archive: Buffer): Promise<ZipEntry[]> {
  const directory = readCentralDirectory(archive);
  if (directory.entryCount === 0) throw emptyArchive();
  if (directory.entryCount > MAX_ARCHIVE_NODES) {
    throw cannotUnzip(`the archive has more than ${MAX_ARCHIVE_NODES} entries`);
  }
  const entries: ZipEntry[] = [];
  const extents: Extent[] = [];
  let cursor = directory.startOffset;
  try {
    // Names stay bytes: yauzl would replace what is not UTF-8, and turn backslashes round.
    const zip = await fromBufferPromise(archive, { decodeStrings: false });
    for await (const entry of zip.eachEntry()) {
      cursor +=
        CENTRAL_HEADER_BYTES +
        entry.fileNameLength +
        entry.extraFieldLength +
        entry.fileCommentLength;
      const local = await zip.readLocalFileHeaderPromise(entry);
      const { parsed, extent } = pairHeaders(archive, entry, local);
      entries.push(parsed);
      extents.push(extent);
    }
  } catch (error) {
    throw error instanceof ServiceError ? error : cannotUnzip('the archive is damaged', error);
  }
  if (cursor !== directory.endOffset) {
    throw cannotUnzip('the central directory has another size than its entries');
  }
  assertApart(extents, directory.startOffset);
  return entries;
}

function pairHeaders(
  archive: Buffer,
  entry: Entry,
  local: LocalFileHeader,
): { parsed: ZipEntry; extent: Extent } {
  const localFields = parseExtraFields(local.extraField);
  assertDecodable(entry);
  assertSame('name', entry.fileNameRaw.equals(local.fileName));
  assertSame('method', entry.compressionMethod === local.compressionMethod);
  assertSame(
    'flags',
    (entry.generalPurposeBitFlag & COMPARED_FLAGS) ===
      (local.generalPurposeBitFlag & COMPARED_FLAGS),
  );
  const name = unicodePath(entry.extraFields, entry.fileNameRaw) ?? entry.fileNameRaw;
  const localName = unicodePath(localFields, local.fileName);
  if (localName !== undefined) assertSame('Unicode path', localName.equals(name));

  const dataEnd = local.fileDataStart + entry.compressedSize;
  const hasDescriptor = (entry.generalPurposeBitFlag & FLAG_DATA_DESCRIPTOR) !== 0;
  assertSizes(entry, local, localFields, hasDescriptor);
  return {
    parsed: {
      name,
      externalFileAttributes: entry.externalFileAttributes,
      extraFields: [...entry.extraFields, ...localFields],
      // Zip's own times have no zone; AWS's machines read them in UTC.
      modifiedAt: entry.getLastModDate({ timezone: 'UTC' }),
      deflated: entry.compressionMethod === METHOD_DEFLATED,
      crc32: entry.crc32,
      uncompressedSize: entry.uncompressedSize,
      data: archive.subarray(local.fileDataStart, dataEnd),
    },
    extent: {
      start: entry.relativeOffsetOfLocalHeader,
      end: dataEnd + (hasDescriptor ? descriptorBytes(archive, dataEnd, entry) : 0),
    },
  };
}

function assertDecodable(entry: Entry): void {
  if ((entry.generalPurposeBitFlag & REFUSED_FLAGS) !== 0) {
    throw cannotUnzip('an entry is encrypted');
  }
  const method = entry.compressionMethod;
  if (method !== METHOD_STORED && method !== METHOD_DEFLATED) {
    throw cannotUnzip(`an entry is packed with method ${method}; 0 and 8 are understood`);
  }
}

function assertSame(field: string, same: boolean): void {
  if (!same) throw cannotUnzip(`the two headers of an entry disagree in ${field}`);
}

/** Where the sizes come after the data, the local header may say 0 instead. */
function assertSizes(
  entry: Entry,
  local: LocalFileHeader,
  localFields: readonly ExtraField[],
  hasDescriptor: boolean,
): void {
  const zip64 = localFields.find((field) => field.id === ZIP64_FIELD)?.data;
  let at = 0;
  const resolved = (value: number): number => {
    if (value !== UNSET_32 || zip64 === undefined || at + 8 > zip64.length) return value;
    at += 8;
    return Number(zip64.readBigUInt64LE(at - 8));
  };
  const uncompressedSize = resolved(local.uncompressedSize);
  const compressedSize = resolved(local.compressedSize);
  const agrees = (there: number, here: number): boolean =>
    there === here || (hasDescriptor && there === 0);
  assertSame('size', agrees(uncompressedSize, entry.uncompressedSize));
  assertSame('packed size', agrees(compressedSize, entry.compressedSize));
  assertSame('checksum', agrees(local.crc32, entry.crc32));
}

/** Length of the data descriptor (APPNOTE 4.3.9): with or without signature, 4- or 8-byte sizes. */
function descriptorBytes(archive: Buffer, at: number, entry: Entry): number {
  for (const sizeBytes of [4, 8]) {
    for (const hasSignature of [true, false]) {
      const start = hasSignature ? at + 4 : at;
      const end = start + 4 + 2 * sizeBytes;
      if (end > archive.length) continue;
      if (hasSignature && archive.readUInt32LE(at) !== DESCRIPTOR_SIGNATURE) continue;
      const size = (offset: number): number =>
        sizeBytes === 4 ? archive.readUInt32LE(offset) : Number(archive.readBigUInt64LE(offset));
      if (
        archive.readUInt32LE(start) === entry.crc32 &&
        size(start + 4) === entry.compressedSize &&
        size(start + 4 + sizeBytes) === entry.uncompressedSize
      ) {
        return end - at;
      }
    }
  }
  throw cannotUnzip('the data descriptor of an entry disagrees with the central directory');
}

/** Info-ZIP's UTF-8 name; void, as its specification says, where it belongs to another plain name. */
function unicodePath(fields: readonly ExtraField[], plainName: Buffer): Buffer | undefined {
  const data = fields.find((field) => field.id === UNICODE_PATH_FIELD)?.data;
  if (data === undefined || data.length < 6 || data[0] !== 1) return undefined;
  return data.readUInt32LE(1) === crc32(plainName) ? data.subarray(5) : undefined;
}

function assertApart(extents: Extent[], directoryStart: number): void {
  extents.sort((a, b) => a.start - b.start);
  let previousEnd = 0;
  for (const { start, end } of extents) {
    if (start < previousEnd) throw cannotUnzip('two entries share bytes of the archive');
    previousEnd = end;
  }
  if (previousEnd > directoryStart) {
    throw cannotUnzip('an entry reaches into the central directory');
  }
}
