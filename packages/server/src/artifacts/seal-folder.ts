import { constants, open } from 'node:fs/promises';

const FOLDER_MODE = 0o555;

/** Makes a folder read-only for everybody and its entries durable. */
export async function sealFolder(path: string): Promise<void> {
  const handle = await open(path, constants.O_RDONLY | constants.O_DIRECTORY);
  try {
    await handle.chmod(FOLDER_MODE);
    await handle.sync();
  } finally {
    await handle.close();
  }
}
