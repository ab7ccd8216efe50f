import type { ExtraField } from 'yauzl';
import { cannotUnzip } from './archive-error.ts';

/** File type bits of a Unix mode. */
const TYPE_MASK = 0o170000;
const TYPE_REGULAR = 0o100000;
const TYPE_DIRECTORY = 0o040000;
const TYPE_LINK = 0o120000;

/** PKWARE's Unix field: its tail holds a hard link's target or a device's numbers. */
const PKWARE_UNIX_FIELD = 0x000d;
const PKWARE_UNIX_FIXED_BYTES = 12;
/** ASi's Unix field: CRC (4), mode (2), link length or device (4), uid (2), gid (2), link target. */
const ASI_UNIX_FIELD = 0x756e;
const ASI_UNIX_FIXED_BYTES = 14;

export type EntryKind =
  | { readonly kind: 'file'; readonly executable: boolean }
  | { readonly kind: 'folder' }
  | { readonly kind: 'link' };

/**
 * What an entry is, by its Unix mode and its name. Only files, folders and symbolic links are taken;
 * of a file's permissions only "executable" is kept, so setuid, setgid and sticky are dropped.
 */
export function entryKind(
  entry: { readonly externalFileAttributes: number; readonly extraFields: readonly ExtraField[] },
  isFolderName: boolean,
): EntryKind {
  assertNoUnixSpecials(entry.extraFields);
  // Archivers that know Unix permissions put the mode into the upper half, whatever system they name.
  const mode = entry.externalFileAttributes >>> 16;
  const type = mode & TYPE_MASK;
  if (type === TYPE_LINK) {
    if (isFolderName) throw cannotUnzip('a link has the name of a folder');
    return { kind: 'link' };
  }
  if (type !== 0 && type !== TYPE_REGULAR && type !== TYPE_DIRECTORY) {
    throw cannotUnzip(`an entry is neither file, folder nor link: mode 0${mode.toString(8)}`);
  }
  if (isFolderName) return { kind: 'folder' };
  if (type === TYPE_DIRECTORY) throw cannotUnzip('a folder has the name of a file');
  return { kind: 'file', executable: (mode & 0o111) !== 0 };
}

function assertNoUnixSpecials(extraFields: readonly ExtraField[]): void {
  for (const { id, data } of extraFields) {
    if (id === PKWARE_UNIX_FIELD && data.length > PKWARE_UNIX_FIXED_BYTES) {
      throw cannotUnzip('an entry is a hard link or a device');
    }
    if (id === ASI_UNIX_FIELD && data.length >= ASI_UNIX_FIXED_BYTES) {
      const type = data.readUInt16LE(4) & TYPE_MASK;
      const plain = type === 0 || type === TYPE_REGULAR || type === TYPE_DIRECTORY;
      if (!plain || data.length > ASI_UNIX_FIXED_BYTES) {
        throw cannotUnzip('an entry is a hard link, a device or a link by extra field');
      }
    }
  }
}
