import { realpath } from 'node:fs/promises';
import { sep } from 'node:path';
import { hotReloadDirectory } from '../../artifacts/hot-reload-directory.ts';
import type { FunctionCode } from '../../domain/function.ts';
import { ServiceError } from '../../domain/service-error.ts';
import type { OperationCall } from './operation.ts';
import { refuseUnsupported } from './unsupported-settings.ts';

/** Where code comes from, as CreateFunction's `Code` and UpdateFunctionCode have it. */
export type CodeInput = {
  readonly ZipFile?: Buffer;
  readonly S3Bucket?: string;
  readonly S3Key?: string;
};

/** The bucket whose keys are folders on this machine. */
const HOT_RELOAD_BUCKET = 'hot-reload';

export const CODE_NAMES: readonly (keyof CodeInput)[] = ['ZipFile', 'S3Bucket', 'S3Key'];

/** Stores an archive, or checks a folder. Throws InvalidParameterValueException. */
export async function storeCode(
  input: CodeInput,
  call: Pick<OperationCall, 'codeStore' | 'hotReloadRoots' | 'isFromFunction'>,
): Promise<FunctionCode> {
  const { ZipFile: archive, S3Bucket: bucket, S3Key: key } = input;
  if (archive !== undefined) {
    if (bucket !== undefined || key !== undefined) {
      throw refuse('Please do not provide other FunctionCode parameters when providing a ZipFile.');
    }
    return { kind: 'archive', ...(await call.codeStore.put(archive)) };
  }
  if (bucket === undefined && key === undefined) {
    throw refuse('Please provide a source for function code.');
  }
  if (bucket !== HOT_RELOAD_BUCKET || key === undefined) {
    throw refuse(
      `Cannot read code from bucket ${bucket ?? '(none)'} as this server has no S3 yet: ` +
        `send ZipFile, or S3Bucket=${HOT_RELOAD_BUCKET} with S3Key=/absolute/folder`,
    );
  }
  // It would come to read whatever the server can read.
  if (call.isFromFunction) {
    throw refuse('Cannot run code in place as a function must not name folders of this machine');
  }
  return { kind: 'hot-reload', directory: await codeDirectory(key, call.hotReloadRoots) };
}

/** Refuses what the API model has for code besides. */
export function checkCodeMembers(code: CodeInput): void {
  refuseUnsupported(code, new Set(CODE_NAMES), 'Code.');
}

async function codeDirectory(key: string, roots: readonly string[] | undefined): Promise<string> {
  const directory = await hotReloadDirectory(key);
  if (roots !== undefined && !(await isBelow(directory, roots))) {
    throw refuse(
      `Cannot run code in place as S3Key must be below ${roots.join(' or ')}: received ${key}`,
    );
  }
  return directory;
}

async function isBelow(directory: string, roots: readonly string[]): Promise<boolean> {
  for (const root of roots) {
    const real = await realpath(root).catch(() => undefined);
    if (real === undefined) continue;
    if (directory === real || directory.startsWith(real.endsWith(sep) ? real : real + sep))
      return true;
  }
  return false;
}

function refuse(message: string): ServiceError {
  return new ServiceError('InvalidParameterValueException', message);
}
