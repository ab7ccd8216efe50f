import type { IncomingMessage, ServerResponse } from 'node:http';
import { BoundedBuffer } from '../framed/bounded-buffer.ts';

/**
 * A part of the API that programs of a sandbox call at `AWS_LAMBDA_RUNTIME_API`, beside the Runtime
 * API itself: extensions, telemetry.
 *
 * Requests of one connection come one after the other: the next when the response before it has
 * closed. A response may stay open for as long as the environment lives (a long poll); nothing times
 * it out, as its client may be frozen. Where the client goes away the response emits `close`.
 */
export interface ApiRoutes {
  /**
   * Answers the request, now or later, where it is one of its own and returns true; returns false,
   * without having touched it, where it is not. Does not throw.
   */
  handle(request: IncomingMessage, response: ServerResponse): boolean;
}

/** What became of a request's body. */
export type RequestBody =
  | { readonly kind: 'whole'; readonly bytes: Buffer }
  /** More than the bound, whether its end came or not; what is beyond was read past and not kept. */
  | { readonly kind: 'too-large' }
  /** The connection ended within the body, or the body was malformed: nobody can be answered. */
  | { readonly kind: 'truncated' };

/**
 * How much of a body that is too long, or not wanted, is read past so that its sender gets to see the
 * answer; a sender that goes on after that loses its connection.
 */
const MAX_DISCARDED_BYTES = 256 * 1024 * 1024;

/** The request's path without its query. */
export function requestPath(request: IncomingMessage): string {
  const url = request.url ?? '';
  const query = url.indexOf('?');
  return query < 0 ? url : url.slice(0, query);
}

/** A header that may be sent once; undefined where it is absent or empty. */
export function requestHeader(request: IncomingMessage, lowerCaseName: string): string | undefined {
  const value = request.headers[lowerCaseName];
  const single = typeof value === 'string' ? value : value?.[0];
  return single === '' ? undefined : single;
}

/**
 * Answers with JSON. Does nothing where the response has been answered or its client is gone.
 * `headers` must hold only what can stand in a header.
 */
export function sendJson(
  response: ServerResponse,
  status: number,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): void {
  sendBytes(response, status, 'application/json', Buffer.from(JSON.stringify(body)), headers);
}

/** Answers with an error in the form that all of these APIs share: `{errorMessage, errorType}`. */
export function sendApiError(
  response: ServerResponse,
  status: number,
  errorType: string,
  errorMessage: string,
): void {
  sendJson(response, status, { errorMessage, errorType });
}

/** Answers with bytes; otherwise as `sendJson`. */
export function sendBytes(
  response: ServerResponse,
  status: number,
  contentType: string,
  bytes: Uint8Array,
  headers: Readonly<Record<string, string>> = {},
): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(status, {
    'Content-Type': contentType,
    'Content-Length': bytes.length,
    ...headers,
  });
  response.end(bytes);
}

/**
 * Reads a request's body whole, keeping at most `maxBytes`. Never rejects. A body is read once: by
 * this or by `discardBody`.
 */
export function readBoundedBody(request: IncomingMessage, maxBytes: number): Promise<RequestBody> {
  return new Promise((resolve) => {
    // Most bodies are one chunk, which needs no copy.
    let only: Buffer | undefined;
    let joined: BoundedBuffer | undefined;
    let receivedBytes = 0;
    request.on('data', (chunk: Buffer) => {
      receivedBytes += chunk.length;
      if (receivedBytes > maxBytes + MAX_DISCARDED_BYTES) request.destroy();
      if (joined === undefined && only === undefined && chunk.length <= maxBytes) {
        only = chunk;
        return;
      }
      if (joined === undefined) {
        joined = new BoundedBuffer(maxBytes);
        if (only !== undefined) joined.append(only);
        only = undefined;
      }
      joined.append(chunk);
    });
    const fail = (): void => resolve({ kind: isTooLarge() ? 'too-large' : 'truncated' });
    const isTooLarge = (): boolean => receivedBytes > maxBytes;
    request.on('end', () => {
      if (isTooLarge()) resolve({ kind: 'too-large' });
      else resolve({ kind: 'whole', bytes: joined?.toBuffer() ?? only ?? Buffer.alloc(0) });
    });
    request.on('error', fail);
    request.on('close', fail);
  });
}

/** Reads past a body that nobody wants, so that the connection can be used again. */
export function discardBody(request: IncomingMessage): void {
  let discardedBytes = 0;
  request.on('error', () => {});
  request.on('data', (chunk: Buffer) => {
    discardedBytes += chunk.length;
    if (discardedBytes > MAX_DISCARDED_BYTES) request.destroy();
  });
}
