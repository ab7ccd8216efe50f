import { rename, rm } from 'node:fs/promises';

/** Moves `source` to `target`; an older `target` stays usable until its place is taken. */
export async function replaceFolder(source: string, target: string): Promise<void> {
  const replaced = `${source}-replaced`;
  await rename(target, replaced).catch((error: unknown) => {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  });
  try {
    await rename(source, target);
  } finally {
    await rm(replaced, { recursive: true, force: true });
  }
}
