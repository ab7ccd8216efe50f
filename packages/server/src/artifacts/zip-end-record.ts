import { cannotUnzip } from './archive-error.ts';

const END_SIGNATURE = 0x06054b50;
const END_BYTES = 22;
const ZIP64_LOCATOR_SIGNATURE = 0x07064b50;
const ZIP64_LOCATOR_BYTES = 20;
const ZIP64_END_SIGNATURE = 0x06064b50;
const ZIP64_END_BYTES = 56;
const MAX_COMMENT_BYTES = 0xffff;
const UNSET_16 = 0xffff;
const UNSET_32 = 0xffffffff;

/** Where an archive says that its central directory is. */
export interface CentralDirectory {
  readonly entryCount: number;
  readonly startOffset: number;
  /** One past its last byte, where the end records begin. */
  readonly endOffset: number;
}

/**
 * Reads the end records (APPNOTE 4.3.14–4.3.16) and refuses those that two readers could take for
 * different archives: several disks, a zip64 record that contradicts the plain one, bytes between
 * the central directory and its end record.
 */
export function readCentralDirectory(archive: Buffer): CentralDirectory {
  const end = findEndRecord(archive);
  const plain = {
    disk: archive.readUInt16LE(end + 4),
    directoryDisk: archive.readUInt16LE(end + 6),
    countHere: archive.readUInt16LE(end + 8),
    count: archive.readUInt16LE(end + 10),
    size: archive.readUInt32LE(end + 12),
    offset: archive.readUInt32LE(end + 16),
  };
  const locator = end - ZIP64_LOCATOR_BYTES;
  if (locator < 0 || archive.readUInt32LE(locator) !== ZIP64_LOCATOR_SIGNATURE) {
    return checked(plain, end);
  }
  const { start, record } = readZip64(archive, locator);
  assertAgrees('disk number', plain.disk, record.disk, UNSET_16);
  assertAgrees(
    'disk of the central directory',
    plain.directoryDisk,
    record.directoryDisk,
    UNSET_16,
  );
  assertAgrees('entry count of this disk', plain.countHere, record.countHere, UNSET_16);
  assertAgrees('entry count', plain.count, record.count, UNSET_16);
  assertAgrees('directory size', plain.size, record.size, UNSET_32);
  assertAgrees('directory offset', plain.offset, record.offset, UNSET_32);
  return checked(record, start);
}

interface EndRecord {
  readonly disk: number;
  readonly directoryDisk: number;
  readonly countHere: number;
  readonly count: number;
  readonly size: number;
  readonly offset: number;
}

function checked(record: EndRecord, recordsStart: number): CentralDirectory {
  if (record.disk !== 0 || record.directoryDisk !== 0 || record.countHere !== record.count) {
    throw cannotUnzip('the archive spans several disks');
  }
  if (record.offset + record.size !== recordsStart) {
    throw cannotUnzip('the central directory does not end where its end record begins');
  }
  return { entryCount: record.count, startOffset: record.offset, endOffset: recordsStart };
}

function findEndRecord(archive: Buffer): number {
  const lowest = Math.max(0, archive.length - END_BYTES - MAX_COMMENT_BYTES);
  for (let at = archive.length - END_BYTES; at >= lowest; at -= 1) {
    if (archive.readUInt32LE(at) !== END_SIGNATURE) continue;
    if (archive.readUInt16LE(at + 20) !== archive.length - at - END_BYTES) {
      throw cannotUnzip('bytes follow the end record');
    }
    return at;
  }
  throw cannotUnzip('no end of central directory was found: no zip archive, or a truncated one');
}

function readZip64(archive: Buffer, locator: number): { start: number; record: EndRecord } {
  const start = safeNumber(archive, locator + 8);
  if (archive.readUInt32LE(locator + 4) !== 0 || archive.readUInt32LE(locator + 16) > 1) {
    throw cannotUnzip('the archive spans several disks');
  }
  if (start + ZIP64_END_BYTES > locator || archive.readUInt32LE(start) !== ZIP64_END_SIGNATURE) {
    throw cannotUnzip('the zip64 end record is not where its locator says');
  }
  // The size field leaves out itself and the signature: 12 bytes.
  if (start + 12 + safeNumber(archive, start + 4) !== locator) {
    throw cannotUnzip('the zip64 end record does not end where its locator begins');
  }
  const record = {
    disk: archive.readUInt32LE(start + 16),
    directoryDisk: archive.readUInt32LE(start + 20),
    countHere: safeNumber(archive, start + 24),
    count: safeNumber(archive, start + 32),
    size: safeNumber(archive, start + 40),
    offset: safeNumber(archive, start + 48),
  };
  return { start, record };
}

function safeNumber(archive: Buffer, at: number): number {
  const value = archive.readBigUInt64LE(at);
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) throw cannotUnzip('a zip64 field is out of range');
  return Number(value);
}

/** The plain field may say "see zip64" with all bits set; anything else has to be the same. */
function assertAgrees(field: string, plain: number, zip64: number, unset: number): void {
  if (plain !== unset && plain !== zip64) {
    throw cannotUnzip(`the zip64 end record contradicts the plain one in ${field}`);
  }
}
