import { RuntimeError } from './errors.ts';

/** How AWS Lambda's own runtime, and libraries that know it, mark a handler that streams. */
export const HANDLER_STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
export const HANDLER_HIGH_WATER_MARK = Symbol.for(
  'aws.lambda.runtime.handler.streaming.highWaterMark',
);
export const STREAM_RESPONSE = 'response';

/** A function's handler; a streaming one carries marks. */
export interface Handler {
  (...args: unknown[]): unknown;
  [HANDLER_STREAMING]?: unknown;
  [HANDLER_HIGH_WATER_MARK]?: unknown;
}

/** What is known of a handler before it is called. */
export interface LoadedHandler {
  readonly call: Handler;
  readonly isStreaming: boolean;
  readonly highWaterMark: number | undefined;
  /** Declared `async`; a plain function that returns a promise is not. */
  readonly isAsync: boolean;
}

/** The first runtime without callbacks and without the context's methods. */
const FIRST_WITHOUT_CALLBACKS = 24;

/** `nodejs22.x` → true: callbacks, `context.done` and waiting for the event loop exist. */
export function hasCallbacks(runtime: string): boolean {
  const major = /^nodejs(\d+)/.exec(runtime)?.[1] ?? process.versions.node.split('.')[0];
  return Number(major) < FIRST_WITHOUT_CALLBACKS;
}

/** Looks at a handler as AWS Lambda does at the end of init. Throws a RuntimeError where it is refused. */
export function inspectHandler(call: Handler, withCallbacks: boolean): LoadedHandler {
  const isStreaming = isStreamingHandler(call);
  const isAsync = call.constructor?.name === 'AsyncFunction';
  if (!isStreaming && call.length >= 3) {
    if (!withCallbacks) throw new RuntimeError('CallbackHandlerDeprecated', CALLBACK_REMOVED);
    const isQuiet = process.env['AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING'] !== undefined;
    if (call.length === 3 && !isAsync && !isQuiet) console.warn(CALLBACK_WARNING);
  }
  return { call, isStreaming, highWaterMark: highWaterMarkOf(call), isAsync };
}

function isStreamingHandler(call: Handler): boolean {
  const mark = call[HANDLER_STREAMING];
  if (mark === undefined || mark === null || mark === false) return false;
  if (mark === STREAM_RESPONSE) return true;
  throw new RuntimeError('MalformedStreamingHandler', 'Only response streaming is supported.');
}

function highWaterMarkOf(call: Handler): number | undefined {
  const mark = Number(call[HANDLER_HIGH_WATER_MARK] ?? undefined);
  return Number.isInteger(mark) && mark >= 0 ? mark : undefined;
}

const CALLBACK_REMOVED =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with ' +
  'Node.js 24. You need to modify this function to use a supported handler signature to use ' +
  'Node.js 24 or later. For more information see ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';

const CALLBACK_WARNING =
  'AWS Lambda plans to remove support for callback-based function handlers starting with Node.js ' +
  '24. You will need to update this function to use an async handler to use Node.js 24 or later. ' +
  'For more information and to provide feedback on this change, see ' +
  'https://github.com/aws/aws-lambda-nodejs-runtime-interface-client/issues/137. To disable this ' +
  'warning, set the AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING environment variable.';
