import { mkdtemp, readdir, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { expect } from 'vitest';
import { ManualClock } from '../clock/manual-clock.ts';
import { ServiceError } from '../domain/service-error.ts';
import { craftZip, extraField, type CraftedEnd, type CraftedEntry } from './crafted-zip.ts';
import { DirectoryCodeStore } from './directory-code-store.ts';
import { removeTree } from '../files/remove-tree.ts';

const CANNOT_UNZIP =
  'Could not unzip uploaded file. Please check your file, then try to upload again.';
const LINK = 0o120777;

/** Test only: a store two folders deep, so that what climbs out of it lands where the test looks. */
export async function newStore() {
  const outer = await realpath(await mkdtemp(join(tmpdir(), 'hearth-hostile-')));
  const root = join(outer, 'data', 'code');
  const store = await DirectoryCodeStore.open({ root, clock: new ManualClock() });
  return { outer, store, [Symbol.asyncDispose]: () => removeTree(outer) };
}

async function putOutcome(archive: Buffer) {
  await using under = await newStore();
  const before = await readdir(under.outer, { recursive: true });
  const error = await under.store.put(archive).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const left = (await readdir(under.outer, { recursive: true })).filter(
    (path) => !before.includes(path),
  );
  return { error, left };
}

/** Refused with 400 and AWS's text; nothing anywhere, staging empty. Returns the reason. */
export async function refusal(archive: Buffer, message = CANNOT_UNZIP): Promise<string> {
  const { error, left } = await putOutcome(archive);
  if (!(error instanceof ServiceError)) throw new Error('it was not refused', { cause: error });
  expect(error).toMatchObject({ code: 'InvalidParameterValueException', message });
  expect(error.definition.httpStatus).toBe(400);
  expect(left).toEqual([]);
  return error.cause instanceof Error ? error.cause.message : 'no further reason';
}

/** The same for a crafted archive. */
export async function refusalOf(entries: CraftedEntry[], end?: CraftedEnd): Promise<string> {
  return await refusal(craftZip(entries, end));
}

/** Stores an archive that is allowed and gives its folder to `look`. */
export async function accepted<T>(
  archive: Buffer,
  look: (directory: string) => Promise<T>,
): Promise<T> {
  await using under = await newStore();
  const { sha256 } = await under.store.put(archive);
  return await look(under.store.directory(sha256));
}

/** An entry that is a symbolic link. */
export const link = (name: string, target: string | Buffer): CraftedEntry => ({
  name,
  content: target,
  mode: LINK,
});

/** Info-ZIP's extra field with another name. */
export function unicodePath(plainName: string, unicodeName: string): Buffer {
  const head = Buffer.alloc(5, 1);
  head.writeUInt32LE(crc32(plainName), 1);
  return extraField(0x7075, Buffer.concat([head, Buffer.from(unicodeName)]));
}
