import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  executableState,
  type ExecutableFolders,
  type Refusal,
} from '../launch/executable-state.ts';

/** An external extension: a file directly in `/opt/extensions`. */
export interface ExtensionFile {
  readonly name: string;
  /** Why it cannot be executed. */
  readonly refusal: Refusal | undefined;
}

/** The external extensions among merged layers, in the order in which they are started. */
export async function externalExtensionFiles(folders: ExecutableFolders): Promise<ExtensionFile[]> {
  if (folders.opt === undefined) return [];
  const folder = join(folders.opt, 'extensions');
  const states = (await fileNames(folder)).map(async (name) => ({
    name,
    state: await executableState(folder, name, folders, process.arch),
  }));
  return (await Promise.all(states)).flatMap(({ name, state }) =>
    state === 'absent' ? [] : [{ name, refusal: state === 'runs' ? undefined : state }],
  );
}

async function fileNames(folder: string): Promise<string[]> {
  try {
    const entries = await readdir(folder, { withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile() || entry.isSymbolicLink())
      .map((entry) => entry.name)
      .toSorted();
  } catch {
    // There is no such folder, or it is a file.
    return [];
  }
}
