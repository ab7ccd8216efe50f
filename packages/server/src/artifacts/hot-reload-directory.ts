import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, parse } from 'node:path';
import { ServiceError } from '../domain/service-error.ts';
import { quote } from './entry-path.ts';

/**
 * The folder that a function with `S3Bucket=hot-reload` runs in place, given its `S3Key`. Answers its
 * real path, without symbolic links. Rejects with an InvalidParameterValueException where the key is
 * not the absolute path of a folder that exists; the root of the file system is refused as well, as
 * it would show a function everything. The texts are Hearth's: AWS has no such bucket.
 */
export async function hotReloadDirectory(s3Key: string): Promise<string> {
  if (!isAbsolute(s3Key)) throw refused('an absolute path', s3Key);
  let path: string;
  let isDirectory: boolean;
  try {
    path = await realpath(s3Key);
    isDirectory = (await stat(path)).isDirectory();
  } catch (error) {
    throw refused('an existing folder', s3Key, error);
  }
  if (!isDirectory) throw refused('a folder', s3Key);
  if (path === parse(path).root) throw refused('a folder below the root', s3Key);
  return path;
}

function refused(wanted: string, s3Key: string, cause?: unknown): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    `Cannot run code in place as S3Key must be ${wanted}: received ${quote(s3Key)}`,
    { cause },
  );
}
