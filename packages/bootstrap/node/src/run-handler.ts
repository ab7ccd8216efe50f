import type { InvocationContext } from './context.ts';
import { nodeJsExit } from './errors.ts';
import type { EventRun } from './event-run.ts';
import type { LoadedHandler } from './handler.ts';

/** What the context has more of on runtimes with callbacks. */
interface CallbackContext extends InvocationContext {
  callbackWaitsForEmptyEventLoop: boolean;
  succeed?(result?: unknown): void;
  fail?(error?: unknown): void;
  done?(error?: unknown, result?: unknown): void;
}

/** Runs an event on nodejs24.x and later: the result counts whether or not it is a promise. */
export async function runHandler(
  run: EventRun,
  handler: LoadedHandler,
  event: unknown,
  context: InvocationContext,
): Promise<void> {
  run.whenLoopIsEmpty(() => run.fail(nodeJsExit()));
  try {
    const result = await handler.call(event, context);
    // One turn of the loop, so that a promise rejected on the side is told of before the answer.
    setImmediate(() => run.respond(result, 'Runtime.JSONStringifyError'));
  } catch (error) {
    setImmediate(() => run.fail(error));
  }
}

/**
 * Runs an event on the runtimes up to nodejs22.x: promise, callback or the context's methods, of
 * which the first wins.
 */
export function runHandlerWithCallbacks(
  run: EventRun,
  handler: LoadedHandler,
  event: unknown,
  base: InvocationContext,
): void {
  let isAnswered = false;
  const once =
    <Args extends unknown[]>(answer: (...args: Args) => void) =>
    (...args: Args): void => {
      if (isAnswered) return;
      isAnswered = true;
      answer(...args);
    };
  const succeed = once((result?: unknown) => run.respond(result));
  const fail = once((error?: unknown) => run.fail(error ?? 'handled'));
  const context: CallbackContext = {
    callbackWaitsForEmptyEventLoop: true,
    succeed,
    fail,
    done: once((error?: unknown, result?: unknown) => {
      if (error === undefined || error === null) run.respond(result);
      else run.fail(error);
    }),
    ...base,
  };
  const callback = once((error?: unknown, result?: unknown) => {
    if (error !== undefined && error !== null) run.fail(error);
    else if (context.callbackWaitsForEmptyEventLoop) run.whenLoopIsEmpty(() => run.respond(result));
    else run.respond(result);
  });
  run.whenLoopIsEmpty(
    once(() => {
      if (handler.isAsync) run.fail(nodeJsExit());
      else run.respond(null);
    }),
  );
  try {
    const result = handler.call(event, context, callback);
    if (isThenable(result)) result.then(succeed, fail);
  } catch (error) {
    fail(error);
  }
}

/** Runs an event through a handler that writes its response to a stream. */
export async function runStreamingHandler(
  run: EventRun,
  handler: LoadedHandler,
  event: unknown,
  base: InvocationContext,
  withCallbacks: boolean,
): Promise<void> {
  const stream = run.openStream(handler.highWaterMark);
  const context = withCallbacks ? { callbackWaitsForEmptyEventLoop: true, ...base } : base;
  // A plain text rather than an error is what the older runtimes report.
  const failure = (text: string): unknown => (withCallbacks ? text : new Error(text));
  run.whenLoopIsEmpty(() => run.fail(nodeJsExit()));
  try {
    const result = handler.call(event, stream, context);
    if (!isThenable(result)) {
      run.fail(failure('Streaming does not support non-async handlers.'));
      return;
    }
    if ((await result) !== undefined) console.warn('Streaming handlers ignore return values.');
    if (!stream.writableEnded) run.fail(failure('Response stream is not finished.'));
    else if (stream.writableFinished) run.endStream(stream);
    else stream.once('finish', () => run.endStream(stream));
  } catch (error) {
    // A stream that the handler has ended is out: all that is left is to log the error.
    run.fail(error);
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    ((typeof value === 'object' && value !== null) || typeof value === 'function') &&
    'then' in value &&
    typeof value.then === 'function'
  );
}
