import { readFile } from 'node:fs/promises';
import { homedir } from 'node:os';

/** Folders in which people of this machine keep what is theirs, such as keys. */
export async function homeFolders(): Promise<readonly string[]> {
  const passwd = await readFile('/etc/passwd', 'utf8').catch(() => '');
  return [homedir(), ...passwd.split('\n').map((line) => line.split(':')[5] ?? '')].filter(
    (folder) => folder.length > 1 && folder.startsWith('/'),
  );
}
