import type { ServerResponse } from 'node:http';
import { ServiceError } from '../../domain/service-error.ts';
import { CallerGoneError } from './read-body.ts';

/** Told about faults of the server, with the request that met one. */
export type FaultListener = (error: unknown, requestId: string) => void;

/**
 * Answers with an error as the Lambda API does: name in `x-amzn-ErrorType`, body with `Type` and the
 * message under the key that the error's shape has. What is no ServiceError is a fault of the
 * server: the caller learns only that, `onFault` gets it.
 */
export function sendError(
  response: ServerResponse,
  error: unknown,
  requestId: string,
  onFault: FaultListener,
): void {
  if (error instanceof CallerGoneError) return;
  const known = error instanceof ServiceError;
  if (!known || (error.cause !== undefined && error.definition.type === 'Service'))
    onFault(error, requestId);
  const answer = known ? error : new ServiceError('ServiceException', 'Internal failure');
  if (response.headersSent || response.destroyed) {
    response.destroy();
    return;
  }
  const { httpStatus, messageKey, type, wireName } = answer.definition;
  const body = Buffer.from(
    JSON.stringify({
      Type: type,
      [messageKey]: answer.message,
      ...(answer.reason !== undefined && { Reason: answer.reason }),
    }),
  );
  // What was not read of the request would be taken for the next one.
  if (!response.req.complete) response.setHeader('Connection', 'close');
  response.writeHead(httpStatus, {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    'x-amzn-ErrorType': wireName ?? answer.code,
    'x-amzn-RequestId': requestId,
  });
  response.end(body);
}
