import { MAX_UNZIPPED_BYTES, MAX_ZIPPED_BYTES } from '../domain/limits.ts';
import { ServiceError } from '../domain/service-error.ts';

/**
 * An archive that is damaged or hostile. The caller gets AWS's text, which names no reason; the
 * reason is the `cause`, for the server's log.
 */
export function cannotUnzip(reason: string, cause?: unknown): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    'Could not unzip uploaded file. Please check your file, then try to upload again.',
    { cause: new Error(reason, { cause }) },
  );
}

/** No bytes at all, or an archive without entries; AWS's text. */
export function emptyArchive(): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    'Uploaded file must be a non-empty zip',
  );
}

/** The archive itself is too large; AWS's text. */
export function zippedTooLarge(): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    `Zipped size must be smaller than ${MAX_ZIPPED_BYTES} bytes`,
  );
}

/** What came out of the archive is too large; AWS's text. */
export function unzippedTooLarge(): ServiceError {
  return new ServiceError(
    'InvalidParameterValueException',
    `Unzipped size must be smaller than ${MAX_UNZIPPED_BYTES} bytes`,
  );
}
