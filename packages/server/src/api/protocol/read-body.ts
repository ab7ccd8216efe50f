import type { IncomingMessage } from 'node:http';
import { ServiceError } from '../../domain/service-error.ts';

/** The caller went away before its request was whole; there is nobody to answer. */
export class CallerGoneError extends Error {
  override readonly name = 'CallerGoneError';
}

/**
 * Reads a request's body whole. Rejects with RequestTooLargeException where it is longer than
 * `maxBytes`: what is too much is read past, not kept, up to as much again, so that the caller gets
 * to see the answer. Rejects with CallerGoneError where the connection ends first.
 */
export function readBody(
  request: IncomingMessage,
  maxBytes: number,
  operation: string,
): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let length = 0;
    request.on('data', (chunk: Buffer) => {
      length += chunk.length;
      if (length <= maxBytes) {
        chunks.push(chunk);
        return;
      }
      chunks.length = 0;
      if (length > maxBytes * 2) {
        request.pause();
        reject(tooLarge(maxBytes, operation));
      }
    });
    request.on('end', () => {
      if (length > maxBytes) reject(tooLarge(maxBytes, operation));
      else if (chunks.length === 1 && chunks[0] !== undefined) resolve(chunks[0]);
      else resolve(Buffer.concat(chunks, length));
    });
    request.on('error', (cause) => reject(new CallerGoneError('The connection failed', { cause })));
    request.on('close', () => {
      if (!request.complete) reject(new CallerGoneError('The connection ended within a request'));
    });
  });
}

function tooLarge(maxBytes: number, operation: string): ServiceError {
  return new ServiceError(
    'RequestTooLargeException',
    `Request must be smaller than ${maxBytes} bytes for the ${operation} operation`,
  );
}
