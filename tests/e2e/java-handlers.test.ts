import type { CreateFunctionCommandInput } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deploy, invoke, invokeWithLog, type Files } from '../support/function.ts';
import { addJavaClient, findJavaTools, type JavaTools } from '../support/java.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const tools = await findJavaTools();
const { runtimes, compile }: JavaTools =
  'reason' in tools ? { runtimes: [], compile: () => Promise.resolve({}) } : tools;
const obstacle = 'reason' in tools ? tools.reason : undefined;

test('Java can be tested', (context) => {
  context.skip(obstacle !== undefined, obstacle);
  expect(runtimes).not.toEqual([]);
});

describe.each(runtimes)("handlers of %s, run by AWS's own client", (Runtime) => {
  let server: TestServer;
  let classes: Files;
  let count = 0;

  beforeAll(async () => {
    server = await startTestServer();
    await addJavaClient(server);
    classes = await compile('handlers');
  });
  afterAll(() => server[Symbol.asyncDispose]());

  /** Deploys the classes; the name of the function. */
  async function create(
    Handler: string,
    settings: Partial<CreateFunctionCommandInput> = {},
  ): Promise<string> {
    count += 1;
    const name = `java-${count}`;
    const own = { Runtime, Handler, MemorySize: 1_769, Timeout: 30, ...settings };
    await deploy(server.client, name, classes, own);
    return name;
  }

  async function resultOf(handler: string, event: unknown): Promise<unknown> {
    return (await invoke(server.client, await create(handler), event)).result;
  }

  test('a class that is a RequestHandler, with objects both ways', async () => {
    const order = {
      customer: 'é',
      count: 1,
      price: 1.5,
      gift: true,
      tags: ['a'],
      extras: { x: 1 },
    };
    const name = await create('example.Orders');
    const cold = await invokeWithLog(server.client, name, order);
    expect(cold).toMatchObject({ status: 200, functionError: undefined });
    expect(cold.result).toEqual({ ...order, count: 2, price: 3, tags: ['a', 'seen'] });
    expect(cold.log.join('\n')).toMatch(/REPORT .*\tInit Duration: [\d.]+ ms\t/);
    const text = await invoke(server.client, name, 5);
    expect(text.functionError).toBe('Unhandled');
    expect(text.result).toMatchObject({
      errorMessage: 'An error occurred during JSON parsing',
      errorType: 'java.lang.RuntimeException',
    });
  });

  test('another method of that class', async () => {
    const order = { customer: 'Ada', extras: { x: 1 } };
    expect(await resultOf('example.Orders::describe', order)).toBe('Ada {x=1}');
  });

  test('a class that is a RequestStreamHandler', async () => {
    expect(await resultOf('example.Upper', { a: 'é' })).toEqual({ A: 'É' });
  });

  test.each([
    ['text', 'x', 'hello x'],
    ['length', [1, 2, 3], 3],
    ['map', { b: 1, a: { x: [null, 1.5] } }, { a: { x: [null, 1.5] }, b: 1 }],
    ['nothing', { a: 1 }, null],
    ['copy', { x: 'ü' }, { x: 'ü' }],
  ])('a method of any class: %s', async (method, event, expected) => {
    expect(await resultOf(`example.Methods::${method}`, event)).toEqual(expected);
  });

  test('a method that only wants the context', async () => {
    const name = await create('example.Methods::onlyContext');
    expect((await invoke(server.client, name)).result).toBe(name);
  });

  test('one event after the other in the same process', async () => {
    const name = await create('example.Methods::count');
    const results = [];
    for (const event of [1, 2, 3]) {
      // With its log the answer comes when the process waits for the next event.
      results.push((await invokeWithLog(server.client, name, event)).result);
    }
    expect(results).toEqual([1, 2, 3]);
  });

  test('exceptions, with the keys of the client, and the process is kept', async () => {
    const name = await create('example.Failing');
    const thrown = await invokeWithLog(server.client, name, 'throw');
    expect(thrown.functionError).toBe('Unhandled');
    expect(thrown.result).toEqual({
      errorMessage: 'no é',
      errorType: 'java.lang.IllegalStateException',
      stackTrace: [
        expect.stringMatching(/^example\.Failing\.handleRequest\(Failing\.java:\d+\)$/),
        expect.stringMatching(/^example\.Failing\.handleRequest\(Failing\.java:\d+\)$/),
      ],
    });
    expect(thrown.log.join('\n')).toMatch(
      /no é: java\.lang\.IllegalStateException\njava\.lang\.IllegalStateException: no é\n\tat example[^]*Caused by: java\.io\.IOException: disk\n/,
    );
    expect((await invokeWithLog(server.client, name, 'own')).result).toMatchObject({
      errorMessage: 'example.Failing$Own',
      errorType: 'example.Failing$Own',
    });
    expect((await invoke(server.client, name, '')).result).toBe('call 3');
  });

  test('errors of the virtual machine are answered, and end the process', async () => {
    const name = await create('example.Failing', { MemorySize: 256 });
    const recursed = await invokeWithLog(server.client, name, 'recurse');
    expect(recursed.result).toMatchObject({ errorType: 'java.lang.StackOverflowError' });
    expect(recursed.log.join('\n')).toContain('Status: error\tError Type: Runtime.ExitError');
    expect((await invoke(server.client, name, '')).result).toBe('call 1');
    const filled = await invokeWithLog(server.client, name, 'memory');
    expect(filled.result).toMatchObject({
      errorMessage: 'Java heap space',
      errorType: 'java.lang.OutOfMemoryError',
    });
    expect(filled.log.join('\n')).toContain('Status: error\tError Type: Runtime.ExitError');
    expect((await invoke(server.client, name, '')).result).toBe('call 1');
  });

  test('System.exit is an exit of the runtime', async () => {
    const name = await create('example.Failing');
    const { result, requestId } = await invoke(server.client, name, 'exit');
    expect(result).toEqual({
      errorType: 'Runtime.ExitError',
      errorMessage: `RequestId: ${requestId} Error: Runtime exited with error: exit status 7`,
    });
    expect((await invoke(server.client, name, '')).result).toBe('call 1');
  });

  test('an endless event is ended at its deadline', async () => {
    const name = await create('example.Failing', { Timeout: 5 });
    expect((await invoke(server.client, name, '')).result).toBe('call 1');
    const { result, requestId } = await invoke(server.client, name, 'sleep');
    expect(result).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${requestId} Error: Task timed out after 5.00 seconds`,
    });
    expect((await invoke(server.client, name, '')).result).toBe('call 1');
  });

  test('a result of 6,291,556 bytes passes, one byte more does not', async () => {
    const name = await create('example.Methods::grow');
    const { result } = await invoke(server.client, name, 6_291_554);
    expect(String(result)).toHaveLength(6_291_554);
    expect((await invoke(server.client, name, 6_291_555)).result).toMatchObject({
      errorType: 'Function.ResponseSizeTooLarge',
    });
    expect((await invoke(server.client, name, 3)).result).toBe('aaa');
  });

  test.each([
    ['::handle', "Invalid handler: `::handle'", undefined],
    ['example.Methods::', "Invalid handler: `example.Methods::'", undefined],
    [
      'example.Methods::missing',
      'No public method named missing with appropriate method signature found on class example.Methods',
      undefined,
    ],
    [
      'example.Methods',
      'Class does not implement an appropriate handler interface: example.Methods',
      undefined,
    ],
    ['example.NoSuch', 'Class not found: example.NoSuch', 'java.lang.ClassNotFoundException'],
    ['a::b::c', 'Class not found: a::b', 'java.lang.ClassNotFoundException'],
    [
      'example.NoConstructor::handle',
      'Class example.NoConstructor has no public zero-argument constructor',
      'java.lang.Exception',
    ],
  ])('%s is reported when it is invoked', async (handler, errorMessage, errorType) => {
    const answer = await invokeWithLog(server.client, await create(handler));
    expect(answer.functionError).toBe('Unhandled');
    expect(answer.result).toEqual({ errorMessage, ...(errorType !== undefined && { errorType }) });
    expect(answer.log.join('\n')).not.toContain('INIT_REPORT');
  });

  test.each([
    ['BrokenConstructor', 'not today', 'java.lang.IllegalArgumentException'],
    [
      'BrokenStatic',
      'Error loading class example.BrokenStatic',
      'java.lang.ExceptionInInitializerError',
    ],
  ])('%s is an error of init', async (name, errorMessage, errorType) => {
    const answer = await invokeWithLog(server.client, await create(`example.${name}::handle`));
    expect(answer.functionError).toBe('Unhandled');
    expect(answer.result).toEqual({ errorMessage, errorType });
    expect(answer.log.join('\n')).toMatch(
      /INIT_REPORT .*Phase: invoke\tStatus: error\tError Type: Runtime\.BadFunctionCode/,
    );
  });
});
