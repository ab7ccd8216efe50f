import { realpath, stat, statfs } from 'node:fs/promises';
import { isAbsolute, parse } from 'node:path';
import { ServiceError } from '../domain/service-error.ts';
import { quote } from './entry-path.ts';

/** `statfs` type of file systems through which the kernel tells of itself and of all processes. */
const KERNEL_FILE_SYSTEMS: ReadonlySet<number> = new Set([
  0x9fa0, // proc
  0x6265_6572, // sysfs
  0x0027_e0eb, // cgroup
  0x6367_7270, // cgroup2
  0x6462_6720, // debugfs
  0x7472_6163, // tracefs
  0x7363_6673, // securityfs
  0x6265_6570, // configfs
  0x6e73_6673, // nsfs
  0xcafe_4a11, // bpf
  0x1cd1, // devpts
]);

/**
 * The folder that a function with `S3Bucket=hot-reload` runs in place, given its `S3Key`. Answers its
 * real path, without symbolic links. Rejects with an InvalidParameterValueException where the key is
 * not the absolute path of a folder that exists; the root of the file system is refused as well, as
 * it would show a function everything, and so are devices and what the kernel tells. The texts are
 * Hearth's: AWS has no such bucket.
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
  if (await isOfKernel(path)) throw refused('a folder of files, not of the kernel', s3Key);
  return path;
}

async function isOfKernel(path: string): Promise<boolean> {
  if (process.platform !== 'linux') return false;
  // In them are also file systems of a kind that others use, too.
  if (/^\/(dev|proc|sys)(\/|$)/.test(path)) return true;
  return KERNEL_FILE_SYSTEMS.has((await statfs(path)).type);
}

function refused(wanted: string, s3Key: string, cause?: unknown): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    `Cannot run code in place as S3Key must be ${wanted}: received ${quote(s3Key)}`,
    { cause },
  );
}
