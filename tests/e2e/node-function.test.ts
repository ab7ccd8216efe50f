import {
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deploy, invoke, invokeWithLog, zipOf } from '../support/function.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const COUNTER = `
let calls = 0;
exports.handler = async (event) => ({ calls: ++calls, event, pid: process.pid });
`;

describe('a Node.js function', () => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer();
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  test('runs cold, then warm in the same environment', async () => {
    await deploy(server.client, 'counter', { 'index.js': COUNTER });
    const cold = await invokeWithLog(server.client, 'counter', { a: 1 });
    expect(cold).toMatchObject({
      status: 200,
      executedVersion: '$LATEST',
      functionError: undefined,
      result: { calls: 1, event: { a: 1 } },
    });
    const warm = await invokeWithLog(server.client, 'counter');
    expect(warm.result).toMatchObject({ calls: 2, event: {} });
    expect(cold.log.join('\n')).toMatch(/REPORT .*\tInit Duration: [\d.]+ ms\t/);
    expect(warm.log.join('\n')).not.toContain('Init Duration');
  });

  test('writes START, END and REPORT with real figures', async () => {
    await deploy(
      server.client,
      'busy',
      {
        'index.js': `exports.handler = async () => {
          const end = Date.now() + 50;
          while (Date.now() < end);
          console.log('two\\nlines');
          return null;
        };`,
      },
      { MemorySize: 256 },
    );
    const { log, requestId, result } = await invokeWithLog(server.client, 'busy');
    expect(result).toBeNull();
    expect(log[0]).toBe(`START RequestId: ${requestId} Version: $LATEST`);
    expect(log[1]).toMatch(new RegExp(`^\\S+Z\\t${requestId}\\tINFO\\ttwo$`));
    expect(log[2]).toBe('lines');
    expect(log[3]).toBe(`END RequestId: ${requestId}`);
    const report =
      /^REPORT RequestId: \S+\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\tMemory Size: 256 MB\tMax Memory Used: (\d+) MB\tInit Duration: ([\d.]+) ms\t$/.exec(
        log[4] ?? '',
      );
    const [durationMs, billedMs, maxMemoryMb, initMs] = (report ?? []).slice(1).map(Number);
    expect(durationMs).toBeGreaterThanOrEqual(50);
    expect(billedMs).toBe(Math.ceil((durationMs ?? 0) + (initMs ?? 0)));
    expect(initMs).toBeGreaterThan(1);
    expect(maxMemoryMb).toBeGreaterThan(10);
    expect(maxMemoryMb).toBeLessThan(256);
  });

  test('a handler that throws keeps its process', async () => {
    await deploy(server.client, 'thrower', {
      'index.js': `let calls = 0;
        exports.handler = async (event) => {
          calls += 1;
          if (event.fail) throw new TypeError('no good');
          return calls;
        };`,
    });
    const failed = await invoke(server.client, 'thrower', { fail: true });
    expect(failed).toMatchObject({
      status: 200,
      functionError: 'Unhandled',
      result: { errorType: 'TypeError', errorMessage: 'no good' },
    });
    expect(Object.keys(failed.result as object)).toEqual(['errorType', 'errorMessage', 'trace']);
    expect((await invoke(server.client, 'thrower')).result).toBe(2);
  });

  test('a timeout is answered at the deadline and the next event starts afresh, /tmp kept', async () => {
    await deploy(
      server.client,
      'slow',
      {
        'index.js': `const fs = require('node:fs');
          const file = (process.env.TMPDIR ?? '/tmp') + '/kept';
          let calls = 0;
          exports.handler = async (event) => {
            calls += 1;
            if (!event.hang) return { calls, kept: fs.existsSync(file) };
            fs.writeFileSync(file, 'x');
            await new Promise(() => setInterval(() => {}, 1000));
          };`,
      },
      { Timeout: 1 },
    );
    await invoke(server.client, 'slow');
    const startedMs = performance.now();
    const { result, requestId, functionError, log } = await invokeWithLog(server.client, 'slow', {
      hang: true,
    });
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_000);
    expect(functionError).toBe('Unhandled');
    expect(result).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${requestId} Error: Task timed out after 1.00 seconds`,
    });
    expect(log.join('\n')).toMatch(
      /REPORT .*\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t.*\tStatus: timeout$/m,
    );
    const next = await invokeWithLog(server.client, 'slow');
    expect(next.result).toEqual({ calls: 1, kept: true });
    expect(next.log.join('\n')).not.toContain('Init Duration');
  });

  test('an exit in the handler is answered and the process is replaced', async () => {
    await deploy(server.client, 'quitter', {
      'index.js': `let calls = 0;
        exports.handler = async (event) => {
          calls += 1;
          if (event.code !== undefined) process.exit(event.code);
          return calls;
        };`,
    });
    const exit = await invokeWithLog(server.client, 'quitter', { code: 3 });
    expect(exit).toMatchObject({
      functionError: 'Unhandled',
      result: {
        errorType: 'Runtime.ExitError',
        errorMessage: `RequestId: ${exit.requestId} Error: Runtime exited with error: exit status 3`,
      },
    });
    expect(exit.log.join('\n')).toContain('\tStatus: error\tError Type: Runtime.ExitError\n');
    const silent = await invoke(server.client, 'quitter', { code: 0 });
    expect(silent.result).toMatchObject({
      errorMessage: `RequestId: ${silent.requestId} Error: Runtime exited without providing a reason`,
    });
    expect((await invoke(server.client, 'quitter')).result).toBe(1);
  });

  test('an uncaught exception is answered with its type and the next event is not affected', async () => {
    await deploy(server.client, 'uncaught', {
      'index.js': `exports.handler = async (event) => {
        if (!event.fail) return 'fine';
        setTimeout(() => { throw new RangeError('later'); });
        await new Promise(() => setInterval(() => {}, 1000));
      };`,
    });
    for (let round = 0; round < 5; round += 1) {
      expect(await invoke(server.client, 'uncaught', { fail: true })).toMatchObject({
        functionError: 'Unhandled',
        result: { errorType: 'RangeError', errorMessage: 'later' },
      });
      expect((await invoke(server.client, 'uncaught')).result).toBe('fine');
    }
  });

  test('an init that throws is reported in both phases and answered', async () => {
    await deploy(server.client, 'broken', { 'index.js': `require('not-there');` });
    const { result, functionError, log } = await invokeWithLog(server.client, 'broken');
    expect(functionError).toBe('Unhandled');
    expect(result).toMatchObject({
      errorType: 'Runtime.ImportModuleError',
      errorMessage: expect.stringContaining(
        "Error: Cannot find module 'not-there'\nRequire stack:\n- ",
      ),
    });
    expect(log.join('\n')).toMatch(
      /INIT_REPORT Init Duration: [\d.]+ ms\tPhase: invoke\tStatus: error\tError Type: Runtime.ImportModuleError/,
    );
  });

  test('events at the same time run in environments of their own', async () => {
    await deploy(server.client, 'parallel', {
      'index.js': `exports.handler = async () => {
        await new Promise((resolve) => setTimeout(resolve, 200));
        return process.env.AWS_LAMBDA_LOG_STREAM_NAME;
      };`,
    });
    const answers = await Promise.all(
      Array.from({ length: 5 }, () => invoke(server.client, 'parallel')),
    );
    expect(new Set(answers.map(({ result }) => result)).size).toBe(5);
  });

  test('after an update of code or configuration no old environment serves', async () => {
    await deploy(server.client, 'updated', {
      'index.js': `exports.handler = async () => ['one', process.env.STAGE];`,
    });
    expect((await invoke(server.client, 'updated')).result).toEqual(['one', null]);
    await server.client.send(
      new UpdateFunctionCodeCommand({
        FunctionName: 'updated',
        ZipFile: await zipOf({
          'index.js': `exports.handler = async () => ['two', process.env.STAGE];`,
        }),
      }),
    );
    await waitUntilUpdated(server, 'updated');
    expect((await invoke(server.client, 'updated')).result).toEqual(['two', null]);
    await server.client.send(
      new UpdateFunctionConfigurationCommand({
        FunctionName: 'updated',
        Environment: { Variables: { STAGE: 'blue' } },
      }),
    );
    await waitUntilUpdated(server, 'updated');
    expect((await invoke(server.client, 'updated')).result).toEqual(['two', 'blue']);
  });

  test('its own clients reach this server, but not its administration', async () => {
    await deploy(server.client, 'caller', {
      'index.js': `const http = require('node:http');
        const get = (path) => new Promise((resolve, reject) => {
          http.get(process.env.AWS_ENDPOINT_URL + path, (response) => {
            response.resume();
            resolve(response.statusCode);
          }).on('error', reject);
        });
        exports.handler = async (paths) => Promise.all(paths.map(get));`,
    });
    const paths = ['/2015-03-31/functions/caller', '/_hearth/health', '//_hearth/health'];
    const { result } = await invoke(server.client, 'caller', paths);
    const health = await fetch(`${server.endpoint}/_hearth/health`);
    const { sandbox } = (await health.json()) as { sandbox: { enforcement: { network: boolean } } };
    const administration = sandbox.enforcement.network ? 403 : 200;
    expect(result).toEqual([200, administration, 404]);
  });

  test('a streaming handler is buffered under a plain Invoke', async () => {
    await deploy(server.client, 'streamer', {
      'index.mjs': `export const handler = awslambda.streamifyResponse(async (event, stream) => {
        stream.setContentType('application/json');
        stream.write('{"a":');
        stream.write('1}');
        stream.end();
      });`,
    });
    expect((await invoke(server.client, 'streamer')).result).toEqual({ a: 1 });
  });

  test('a result over 6 MB is an error and the environment stays', async () => {
    await deploy(server.client, 'big', {
      'index.js': `let calls = 0; exports.handler = async (event) => ({ calls: ++calls, text: 'x'.repeat(event.size) });`,
    });
    expect((await invoke(server.client, 'big', { size: 7_000_000 })).result).toEqual({
      errorMessage: 'Response payload size exceeded maximum allowed payload size (6291556 bytes).',
      errorType: 'Function.ResponseSizeTooLarge',
    });
    expect((await invoke(server.client, 'big', { size: 1 })).result).toEqual({
      calls: 2,
      text: 'x',
    });
  });

  test('the context tells request, function, version, memory, log and remaining time', async () => {
    await deploy(
      server.client,
      'context',
      {
        'index.js': `exports.handler = async (event, context) => ({
          ...context,
          remaining: context.getRemainingTimeInMillis(),
        });`,
      },
      { MemorySize: 192, Timeout: 5 },
    );
    const { result, requestId } = await invoke(
      server.client,
      'arn:aws:lambda:us-east-1:000000000000:function:context:$LATEST',
      {},
      { ClientContext: Buffer.from('{"custom":{"k":"v"}}').toString('base64') },
    );
    expect(result).toMatchObject({
      awsRequestId: requestId,
      functionName: 'context',
      functionVersion: '$LATEST',
      memoryLimitInMB: '192',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:context:$LATEST',
      logGroupName: '/aws/lambda/context',
      logStreamName: expect.stringMatching(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/),
      clientContext: { custom: { k: 'v' } },
    });
    const { remaining } = result as { remaining: number };
    expect(remaining).toBeGreaterThan(4_000);
    expect(remaining).toBeLessThanOrEqual(5_000);
  });
});

async function waitUntilUpdated(server: TestServer, functionName: string): Promise<void> {
  const { waitUntilFunctionUpdatedV2 } = await import('@aws-sdk/client-lambda');
  await waitUntilFunctionUpdatedV2(
    { client: server.client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
    { FunctionName: functionName },
  );
}
