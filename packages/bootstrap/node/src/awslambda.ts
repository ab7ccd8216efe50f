import {
  HANDLER_HIGH_WATER_MARK,
  HANDLER_STREAMING,
  STREAM_RESPONSE,
  type Handler,
} from './handler.ts';
import type { ResponseStream } from './response-stream.ts';

const HTTP_CONTENT_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END = new Uint8Array(8);

/** Defines the global `awslambda` of functions that stream their response. */
export function defineAwslambda(): void {
  Object.assign(globalThis, {
    awslambda: {
      streamifyResponse(handler: Handler, options?: { highWaterMark?: unknown }): Handler {
        handler[HANDLER_STREAMING] = STREAM_RESPONSE;
        if (typeof options?.highWaterMark === 'number') {
          handler[HANDLER_HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
        }
        return handler;
      },
      HttpResponseStream: { from: withHttpPrelude },
    },
  });
}

/** Sends status code and headers as JSON and eight NUL bytes before the first chunk. */
function withHttpPrelude(stream: ResponseStream, prelude: unknown): ResponseStream {
  stream.setContentType(HTTP_CONTENT_TYPE);
  const json = JSON.stringify(prelude);
  stream._onBeforeFirstWrite = (write) => {
    write(json);
    write(PRELUDE_END);
  };
  return stream;
}
