import { readdirSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { errorCode } from '../../system-calls/error-code.ts';

/** The links in a folder, as paths, by which an instance has claimed something. */
export function claimsOf(folder: string, instanceId: string): string[] {
  return (
    absentAs([], () => readdirSync(folder))
      .map((name) => join(folder, name))
      // Others give theirs up at any time.
      .filter((claim) => absentAs(undefined, () => readlinkSync(claim)) === instanceId)
  );
}

function absentAs<T, A>(absent: A, read: () => T): T | A {
  try {
    return read();
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return absent;
    throw error;
  }
}
