import { afterEach, describe, expect, test } from 'vitest';
import { MAX_RESPONSE_BYTES } from '../../server/src/domain/limits.ts';
import { encodeFrame, FRAME } from '../../server/src/runtime-api/framed/frame-codec.ts';
import { RuntimeGoneError } from '../../server/src/runtime-api/runtime-session.ts';
import { answerOf, errorOf, objectOf } from './answers.ts';
import { LaunchedRuntime, type FunctionFiles, type RuntimeCommand } from './launched-runtime.ts';

/** Handler strings of functions that do the same in every language. */
export interface ContractHandlers {
  /**
   * Answers an object: `event`, `requestId`, `functionName`, `functionVersion`, `invokedFunctionArn`,
   * `memoryLimitInMB`, `logGroupName`, `logStreamName`, `remainingMs`, and the client context's
   * `custom` and the identity's `cognitoIdentityId` (null where there is none).
   */
  readonly context: string;
  /** Counts in a global variable and answers the number: 1, 2, 3 … */
  readonly counter: string;
  /** Throws an error of the language's plain kind with the message `event.message`. */
  readonly throws: string;
  /** Writes `event.message` with the language's own logging at a level that is shown; answers null. */
  readonly logs: string;
  /** Answers all environment variables as an object. */
  readonly environment: string;
  /** Answers a text of `event.length` times `x`. */
  readonly large: string;
  /** Answers something that cannot be JSON. */
  readonly unserialisable: string;
  /** Ends the process with status `event.status`. */
  readonly exits: string;
  /** Writes the bytes `event.base64` to file descriptor 3, then answers null. */
  readonly forges: string;
  /** Runs `/bin/ls -l /proc/self/fd` and answers what it prints. */
  readonly spawns: string;
  /** A module that throws an error with the message `broken at load`. */
  readonly failsAtLoad: string;
  /** A module that does not exist. */
  readonly missingModule: string;
  /** A module that exists, without the handler. */
  readonly missingHandler: string;
}

export interface RuntimeUnderTest {
  readonly name: string;
  /** `nodejs22.x`, as INIT says it. */
  readonly runtime: string;
  readonly command: RuntimeCommand;
  /** The functions behind `handlers`. */
  readonly files: FunctionFiles;
  readonly handlers: ContractHandlers;
  /** Keys of an error payload, in their order. */
  readonly errorKeys: readonly string[];
  /** `errorType` of what `handlers.throws` throws. */
  readonly plainErrorType: string;
}

const OTHER_REQUEST_ID = '00000000-0000-4000-8000-000000000000';

/** What every bootstrap does, whatever its language; see packages/bootstrap/PROTOCOL.md. */
export function describeRuntimeContract(subject: RuntimeUnderTest): void {
  const { handlers, runtime } = subject;
  let running: LaunchedRuntime[] = [];

  async function launch(variables: Record<string, string> = {}): Promise<LaunchedRuntime> {
    const environment = { ...subject.command.environment, ...variables };
    const command = { ...subject.command, environment };
    const launched = await LaunchedRuntime.start(command, subject.files);
    running.push(launched);
    return launched;
  }

  async function ready(handler: string): Promise<LaunchedRuntime> {
    const launched = await launch();
    expect(await launched.init({ handler, runtime })).toEqual({ kind: 'ready' });
    return launched;
  }

  afterEach(async () => {
    const ended = running;
    running = [];
    await Promise.all(ended.map((launched) => launched[Symbol.asyncDispose]()));
  });

  describe(`runtime contract: ${subject.name}`, () => {
    test('the event and the context reach the handler', async () => {
      const launched = await ready(handlers.context);
      const result = await launched.invoke(
        { text: 'é\u{1F525}', list: [1, null] },
        {
          requestId: OTHER_REQUEST_ID,
          deadlineMs: Date.now() + 60_000,
          clientContext: '{"custom":{"key":"value"}}',
          cognitoIdentity: '{"cognitoIdentityId":"id","cognitoIdentityPoolId":"pool"}',
        },
      );
      const answer = objectOf(result);
      expect(answer).toMatchObject({
        event: { text: 'é\u{1F525}', list: [1, null] },
        requestId: OTHER_REQUEST_ID,
        functionName: 'contract',
        functionVersion: '$LATEST',
        invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:contract',
        memoryLimitInMB: '256',
        logGroupName: '/aws/lambda/contract',
        logStreamName: '2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef',
        custom: { key: 'value' },
        cognitoIdentityId: 'id',
      });
      expect(answer['remainingMs']).toBeGreaterThan(0);
      expect(answer['remainingMs']).toBeLessThanOrEqual(60_000);
    });

    test('without client context and identity the context has none', async () => {
      const launched = await ready(handlers.context);
      const answer = objectOf(await launched.invoke({}));
      expect(answer).toMatchObject({ custom: null, cognitoIdentityId: null });
    });

    test('code outside the handler runs once, and globals are kept', async () => {
      const launched = await ready(handlers.counter);
      expect([
        answerOf(await launched.invoke({})),
        answerOf(await launched.invoke({})),
        answerOf(await launched.invoke({})),
      ]).toEqual([1, 2, 3]);
    });

    test('an error that a handler throws is its payload, and the next event is taken', async () => {
      const launched = await ready(handlers.throws);
      for (const message of ['first "quoted"\nline', 'zweite ü']) {
        const error = errorOf(await launched.invoke({ message }));
        expect(error.errorType).toBe(subject.plainErrorType);
        expect(error.fatal).toBe(false);
        expect(Object.keys(error.body)).toEqual(subject.errorKeys);
        expect(error.body).toMatchObject({
          errorType: subject.plainErrorType,
          errorMessage: message,
        });
      }
    });

    test('a result that cannot be JSON is an error, and the next event is taken', async () => {
      const launched = await ready(handlers.unserialisable);
      expect((await launched.invoke({})).kind).toBe('error');
      expect((await launched.invoke({})).kind).toBe('error');
    });

    test('a message with line breaks is one log event', async () => {
      const launched = await ready(handlers.logs);
      await launched.invoke({ message: 'one\n  two\nthree' }, { requestId: OTHER_REQUEST_ID });
      const event = await launched.logged('three');
      expect(event.message).toContain('one\n  two\nthree');
      expect(event.message).toContain(OTHER_REQUEST_ID);
    });

    test('warnings are logged before the function is loaded', async () => {
      const launched = await launch();
      await launched.init({
        handler: handlers.failsAtLoad,
        runtime,
        warnings: ['an old interpreter'],
      });
      await launched.exited;
      expect(launched.logs[0]?.message).toContain('an old interpreter');
    });

    test('the environment is the one of INIT and nothing else', async () => {
      const launched = await launch();
      const environment = { LANG: 'en_US.UTF-8', TZ: ':UTC', MY_VARIABLE: 'é=x' };
      await launched.init({ handler: handlers.environment, runtime, environment });
      expect(objectOf(await launched.invoke({}))).toEqual(environment);
    });

    test('what a wrapper has put into the environment stays, its handler included', async () => {
      const wrapped = { _HANDLER: handlers.environment, FROM_WRAPPER: 'é=x', TZ: ':UTC' };
      const launched = await launch({ ...wrapped, _HEARTH_KEEP_ENVIRONMENT: '1' });
      const environment = { _HANDLER: handlers.counter, TZ: 'Europe/Berlin' };
      await launched.init({ handler: handlers.counter, runtime, environment });
      // The interpreter itself may have added to it, as Python does where no locale is set.
      const { LC_CTYPE: _locale, ...seen } = objectOf(await launched.invoke({}));
      expect(seen).toEqual(wrapped);
    });

    test('the trace id of an event is in the environment while it has one', async () => {
      const launched = await ready(handlers.environment);
      const traceId = 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1';
      expect(objectOf(await launched.invoke({}, { traceId }))).toEqual({
        _X_AMZN_TRACE_ID: traceId,
      });
      expect(objectOf(await launched.invoke({}))).toEqual({});
    });

    test('a response beyond the limit is refused, and the runtime stays healthy', async () => {
      const launched = await ready(handlers.large);
      // Two quotes around the text are part of the response.
      const fitting = await launched.invoke({ length: MAX_RESPONSE_BYTES - 2 });
      expect(fitting).toMatchObject({ kind: 'response', contentType: 'application/json' });
      const refused = errorOf(await launched.invoke({ length: MAX_RESPONSE_BYTES - 1 }));
      expect(refused.errorType).toBe('Function.ResponseSizeTooLarge');
      expect(answerOf(await launched.invoke({ length: 3 }))).toBe('xxx');
    });

    test('an event of many chunks arrives whole', async () => {
      const launched = await ready(handlers.context);
      const text = 'ü'.repeat(1_500_000);
      const answer = objectOf(await launched.invoke({ text }));
      expect(answer['event']).toEqual({ text });
    });

    test('an error at load answers init, and the process exits with status 1', async () => {
      const launched = await launch();
      const error = errorOf(await launched.init({ handler: handlers.failsAtLoad, runtime }));
      expect(error.errorType).toBe(subject.plainErrorType);
      expect(Object.keys(error.body)).toEqual(subject.errorKeys);
      expect(error.body).toMatchObject({ errorMessage: 'broken at load' });
      expect(await launched.exited).toEqual({ code: 1, signal: undefined });
    });

    test.each([
      ['missingModule', 'Runtime.ImportModuleError'],
      ['missingHandler', 'Runtime.HandlerNotFound'],
    ] as const)('%s answers init with %s', async (handler, errorType) => {
      const launched = await launch();
      const error = errorOf(await launched.init({ handler: handlers[handler], runtime }));
      expect(error.errorType).toBe(errorType);
      expect(error.body).toMatchObject({ errorType });
      expect(await launched.exited).toEqual({ code: 1, signal: undefined });
    });

    test('a handler that ends the process is seen by its status', async () => {
      const launched = await ready(handlers.exits);
      await expect(launched.invoke({ status: 7 })).rejects.toThrow(RuntimeGoneError);
      expect(await launched.exited).toEqual({ code: 7, signal: undefined });
    });

    test('the bootstrap exits when the channel ends', async () => {
      const launched = await ready(handlers.counter);
      launched.session[Symbol.dispose]();
      await launched.exited;
      await expect(launched.invoke({})).rejects.toThrow(RuntimeGoneError);
    });

    test('a program that the function starts does not inherit the descriptors', async () => {
      const launched = await ready(handlers.spawns);
      const listed = answerOf(await launched.invoke({}));
      expect(listed).toMatch(/ 0 -> /);
      expect(listed).not.toMatch(/ [34] -> socket:/);
    });

    test.each([
      ['noise', Buffer.from('not a frame at all')],
      ['an answer to another request', encodeFrame(FRAME.response, { requestId: 'other' })],
      ['a second BOOTED', encodeFrame(FRAME.booted, {})],
      ['READY while an event is under way', encodeFrame(FRAME.ready, {})],
      ['a chunk of no stream', encodeFrame(FRAME.streamChunk, { requestId: OTHER_REQUEST_ID })],
      ['an unknown type', encodeFrame(0x7f, {})],
    ])('%s that the function forges breaks the protocol', async (_, bytes) => {
      const launched = await ready(handlers.forges);
      const call = launched.invoke(
        { base64: bytes.toString('base64') },
        { requestId: OTHER_REQUEST_ID },
      );
      await expect(call).rejects.toMatchObject({
        name: 'RuntimeGoneError',
        protocolViolation: expect.any(String),
      });
    });
  });
}
