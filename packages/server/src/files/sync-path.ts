import { open } from 'node:fs/promises';

/** Makes a folder's entries, or a file's content, durable. */
export async function syncPath(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
