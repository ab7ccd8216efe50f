import { cannotUnzip } from './archive-error.ts';
import { MAX_NAME_BYTES, MAX_PATH_BYTES } from './archive-limits.ts';

/** Strict: one name must never mean two paths. */
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

export interface EntryPath {
  /** The names on the way from the root of the code; empty for the root itself. */
  readonly names: readonly string[];
  /** The entry's name ends with a slash, as a folder's does. */
  readonly isFolderName: boolean;
}

/**
 * Reads an entry's name: a relative path with forward slashes in UTF-8. `.` and doubled slashes are
 * dropped. Refuses `..`, absolute and drive paths, backslashes, NUL, invalid UTF-8 and what is too
 * long. Names without the UTF-8 flag are read as UTF-8 too: that is what tools on Linux and macOS write.
 */
export function parseEntryPath(raw: Uint8Array): EntryPath {
  const text = decodePath(raw, 'an entry name');
  if (text === '') throw cannotUnzip('an entry has no name');
  if (text.startsWith('/') || /^[A-Za-z]:/.test(text)) {
    throw cannotUnzip(`an entry has an absolute path: ${quote(text)}`);
  }
  const names = text.split('/').filter((name) => name !== '' && name !== '.');
  for (const name of names) {
    if (name === '..') throw cannotUnzip(`an entry leaves the folder: ${quote(text)}`);
    if (Buffer.byteLength(name) > MAX_NAME_BYTES) {
      throw cannotUnzip(`an entry has a name of more than ${MAX_NAME_BYTES} bytes`);
    }
  }
  return { names, isFolderName: text.endsWith('/') };
}

/** Reads where a symbolic link points to: relative, in UTF-8, with forward slashes. */
export function parseLinkTarget(raw: Uint8Array): readonly string[] {
  const text = decodePath(raw, 'the target of a link');
  if (text === '') throw cannotUnzip('a link has no target');
  if (text.startsWith('/') || /^[A-Za-z]:/.test(text)) {
    throw cannotUnzip(`a link points to an absolute path: ${quote(text)}`);
  }
  return text.split('/').filter((name) => name !== '' && name !== '.');
}

/** Text of a message, without control characters and of a bounded length. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}

function decodePath(raw: Uint8Array, what: string): string {
  if (raw.length > MAX_PATH_BYTES) {
    throw cannotUnzip(`${what} has more than ${MAX_PATH_BYTES} bytes`);
  }
  if (raw.includes(0)) throw cannotUnzip(`${what} holds a NUL`);
  let text: string;
  try {
    text = decoder.decode(raw);
  } catch (error) {
    throw cannotUnzip(`${what} is not UTF-8`, error);
  }
  if (text.includes('\\')) throw cannotUnzip(`${what} holds a backslash: ${quote(text)}`);
  return text;
}
