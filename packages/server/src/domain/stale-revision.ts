import { ServiceError } from './service-error.ts';

/** For a write that names a revision which is no longer the function's. */
export function staleRevision(): ServiceError {
  return new ServiceError(
    'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. ' +
      'Call the GetFunction/GetAlias API to retrieve the latest Revision Id',
  );
}
