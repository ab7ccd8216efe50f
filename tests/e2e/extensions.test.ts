import { readFile } from 'node:fs/promises';
import { DeleteFunctionCommand } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { environmentsOf, logOf, PATIENCE, transitionsOf } from '../support/environments.ts';
import { deploy, invoke, invokeWithLog } from '../support/function.ts';
import { publishPrograms } from '../support/programs.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const EXTENSION = await readFile(new URL('fixtures/extension.js', import.meta.url));

const FUNCTION = {
  'index.js': `
    const fs = require('node:fs');
    const telemetry = (process.env.TMPDIR ?? '/tmp') + '/telemetry';
    process.on('SIGTERM', () => { console.log('told to end'); setTimeout(process.exit, 10, 0); });
    let calls = 0;
    exports.handler = async (event) => {
      calls += 1;
      if (event.say) console.log(event.say);
      if (event.exit) process.exit(1);
      if (event.hang) await new Promise((resolve) => setTimeout(resolve, 60_000));
      if (event.readUntil === undefined) return calls;
      for (;;) {
        const text = fs.existsSync(telemetry) ? fs.readFileSync(telemetry, 'utf8') : '';
        const events = text.trim().split('\\n').filter(Boolean).map((line) => JSON.parse(line));
        const wanted = events.filter(({ type }) => type === event.readUntil).length;
        if (wanted >= (event.count ?? 1)) return events;
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
    };`,
};

async function driverOf(server: TestServer): Promise<string> {
  const response = await fetch(`${server.endpoint}/_hearth/health`);
  const { sandbox } = (await response.json()) as { sandbox: { driver: string } };
  return sandbox.driver;
}

interface TelemetryEvent {
  readonly time: string;
  readonly type: string;
  readonly record: Readonly<Record<string, unknown>>;
}

describe.each(['auto', 'process'] as const)('extensions, with the sandbox %s', (sandbox) => {
  let server: TestServer;
  let layer: string;

  beforeAll(async () => {
    server = await startTestServer({ sandbox });
    layer = await publishPrograms(server.client, 'watcher', { 'extensions/watcher': EXTENSION });
  });

  afterAll(() => server[Symbol.asyncDispose]());

  const deployWatched = (
    name: string,
    variables: Record<string, string> = {},
    timeoutSeconds = 10,
  ): Promise<void> =>
    deploy(server.client, name, FUNCTION, {
      Layers: [layer],
      MemorySize: 1_769,
      Timeout: timeoutSeconds,
      Environment: { Variables: variables },
    });

  const messages = async (name: string): Promise<string[]> =>
    (await logOf(server, name)).map(({ message }) => message);

  test('one registers, subscribes, is told of events and of the end; SIGTERM comes first', async () => {
    await deployWatched('lived');
    const first = await invokeWithLog(server.client, 'lived');
    const second = await invokeWithLog(server.client, 'lived');
    expect([first.result, second.result]).toEqual([1, 2]);
    const [environment] = await environmentsOf(server, 'lived');
    await server.client.send(new DeleteFunctionCommand({ FunctionName: 'lived' }));
    await expect.poll(() => environmentsOf(server, 'lived'), PATIENCE).toEqual([]);
    const log = await messages('lived');
    const of = (start: RegExp): string[] => log.filter((line) => start.test(line));
    expect(of(/^(EXTENSION|TELEMETRY|START)/)).toEqual([
      'TELEMETRY\tName: watcher\tState: Subscribed\tTypes: [Platform, Function, Extension]',
      'EXTENSION\tName: watcher\tState: Ready\tEvents: [INVOKE, SHUTDOWN]',
      `START RequestId: ${first.requestId} Version: $LATEST`,
      `START RequestId: ${second.requestId} Version: $LATEST`,
    ]);
    expect(of(/^(registered|subscribed|event)|told to end/)).toEqual([
      'registered 200 {"functionName":"lived","functionVersion":"$LATEST","handler":"index.handler","accountId":"000000000000"}',
      'subscribed 200 "OK"',
      `event INVOKE ${first.requestId}`,
      `event INVOKE ${second.requestId}`,
      expect.stringMatching(/\tINFO\ttold to end$/),
      'event SHUTDOWN spindown',
    ]);
    const kinds = (await transitionsOf(server, environment?.id ?? '')).map(({ event }) => event);
    expect(kinds.slice(-2)).toEqual([{ kind: 'shutdown', reason: 'deleted' }, { kind: 'ended' }]);
  });

  test('telemetry over HTTP is the schema of 2025-01-29', async () => {
    // By this name AWS's samples listen; a process on the host itself does not know it.
    const isOwnHost = (await driverOf(server)) === 'namespace';
    await deployWatched('telemetry', isOwnHost ? { EXTENSION_HOST: 'sandbox.localdomain' } : {});
    const first = await invokeWithLog(server.client, 'telemetry', { say: 'hello\nworld' });
    const read = { readUntil: 'platform.report' };
    const events = (await invokeWithLog(server.client, 'telemetry', read))
      .result as TelemetryEvent[];
    for (const { time } of events) expect(time).toMatch(/^\d{4}-\d\d-\d\dT[\d:]{8}\.\d{3}Z$/);
    const record = (type: string): unknown => events.find((event) => event.type === type)?.record;
    const init = { initializationType: 'on-demand', phase: 'init' };
    expect(record('platform.initStart')).toEqual({
      ...init,
      functionName: 'telemetry',
      functionVersion: '$LATEST',
      instanceId: expect.stringMatching(/\[\$LATEST\][0-9a-f]{32}$/),
      instanceMaxMemory: 1_769,
      runtimeVersion: expect.stringMatching(/^nodejs:24\./),
      runtimeVersionArn: expect.stringMatching(/^arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$/),
    });
    expect(record('platform.telemetrySubscription')).toEqual({
      name: 'watcher',
      state: 'Subscribed',
      types: ['platform', 'function', 'extension'],
    });
    expect(record('platform.extension')).toEqual({
      name: 'watcher',
      state: 'Ready',
      events: ['INVOKE', 'SHUTDOWN'],
    });
    expect(record('platform.initRuntimeDone')).toEqual({ ...init, status: 'success' });
    expect(record('platform.initReport')).toEqual({
      ...init,
      status: 'success',
      metrics: { durationMs: expect.any(Number) },
    });
    const tracing = { type: 'X-Amzn-Trace-Id', value: expect.stringMatching(/^Root=1-/) };
    const { requestId } = first;
    expect(record('platform.start')).toEqual({ requestId, version: '$LATEST', tracing });
    expect(record('function')).toMatch(/\tINFO\thello\nworld$/);
    expect(record('extension')).toMatch(/^registered 200/);
    const span = { start: expect.stringMatching(/Z$/), durationMs: expect.any(Number) };
    expect(record('platform.runtimeDone')).toEqual({
      requestId,
      status: 'success',
      metrics: { durationMs: expect.any(Number), producedBytes: 1 },
      spans: [
        { name: 'responseLatency', ...span },
        { name: 'responseDuration', ...span },
      ],
      tracing,
    });
    expect(record('platform.report')).toEqual({
      requestId,
      status: 'success',
      metrics: {
        durationMs: expect.any(Number),
        billedDurationMs: expect.any(Number),
        memorySizeMB: 1_769,
        maxMemoryUsedMB: expect.any(Number),
        initDurationMs: expect.any(Number),
      },
      spans: [{ name: 'extensionOverhead', ...span }],
      tracing,
    });
  });

  test('the Logs API over TCP has its own words', async () => {
    await deployWatched('tcp', { EXTENSION_DOES: 'tcp', EXTENSION_EVENTS: 'INVOKE' });
    const { requestId } = await invokeWithLog(server.client, 'tcp', { say: 'hello' });
    const read = { readUntil: 'platform.report' };
    const events = (await invokeWithLog(server.client, 'tcp', read)).result as TelemetryEvent[];
    const types = events.map(({ type }) => type).filter((type) => type !== 'extension');
    expect(types.slice(0, 7)).toEqual([
      'platform.logsSubscription',
      'platform.extension',
      'platform.start',
      'function',
      'platform.runtimeDone',
      'platform.end',
      'platform.report',
    ]);
    expect(events.find(({ type }) => type === 'platform.end')?.record).toEqual({ requestId });
    expect(await messages('tcp')).toContain(
      'LOGS\tName: watcher\tState: Subscribed\tTypes: [Platform, Function, Extension]',
    );
  });

  test('an internal one registers in the runtime’s own process, and is waited for like the others', async () => {
    await deploy(
      server.client,
      'internal',
      {
        'index.mjs': `
          const api = 'http://' + process.env.AWS_LAMBDA_RUNTIME_API + '/2020-01-01/extension/';
          const register = (events) => fetch(api + 'register', {
            method: 'POST',
            headers: { 'Lambda-Extension-Name': 'inner' },
            body: JSON.stringify({ events }),
          });
          const refused = await register(['SHUTDOWN']);
          const { status, headers } = await register(['INVOKE']);
          const identifier = headers.get('lambda-extension-identifier');
          console.log('inner', refused.status, (await refused.json()).errorType, status);
          process.on('SIGTERM', () => { console.log('told to end'); setTimeout(process.exit, 10, 0); });
          const listen = async () => {
            for (;;) {
              const next = await fetch(api + 'event/next', {
                headers: { 'Lambda-Extension-Identifier': identifier },
              });
              const { eventType, requestId } = await next.json();
              await new Promise((resolve) => setTimeout(resolve, 50));
              console.log('inner', eventType, requestId);
            }
          };
          void listen();
          export const handler = async () => 'answered';`,
      },
      { Timeout: 10, MemorySize: 1_769 },
    );
    const first = await invokeWithLog(server.client, 'internal');
    expect(first.result).toBe('answered');
    const said = first.log.map((line) => line.split('\t').at(-1));
    // The event is over when the extension, too, is done with it.
    expect(said).toContain(`inner INVOKE ${first.requestId}`);
    await server.client.send(new DeleteFunctionCommand({ FunctionName: 'internal' }));
    await expect.poll(() => environmentsOf(server, 'internal'), PATIENCE).toEqual([]);
    const log = await messages('internal');
    expect(log).toContain('EXTENSION\tName: inner\tState: Ready\tEvents: [INVOKE]');
    expect(log.map((line) => line.split('\t').at(-1))).toEqual(
      expect.arrayContaining(['inner 403 Extension.InvalidEventType 200', 'told to end']),
    );
  });

  test('nobody can register once the runtime waits for events', async () => {
    await deployWatched('late', { EXTENSION_DOES: 'late' });
    await invokeWithLog(server.client, 'late');
    expect(await messages('late')).toContain('late 403 Extension.RegistrationClosed');
  });

  test.for([
    [
      'init-error',
      'Extension.InitError',
      'exit status 1',
      'InitError',
      '\tError Type: Extension.Own',
    ],
    ['init-exit', 'Extension.Crash', 'exit status 4', 'Registered', ''],
  ] as const)('%s: %s, in both phases of init', async ([does, errorType, how, state, error]) => {
    await deployWatched(does, { EXTENSION_DOES: does });
    const { result, requestId, functionError } = await invoke(server.client, does);
    expect(functionError).toBe('Unhandled');
    expect(result).toEqual({ errorType, errorMessage: `RequestId: ${requestId} Error: ${how}` });
    await expect.poll(async () => (await messages(does)).at(-1), PATIENCE).toMatch(/^REPORT/);
    const log = (await messages(does)).map((line) => line.replace(/\d+\.\d\d ms/, 'n ms'));
    const status = `Status: error\tError Type: ${errorType}`;
    const extension = `EXTENSION\tName: watcher\tState: ${state}\tEvents: [INVOKE, SHUTDOWN]${error}`;
    expect(log.filter((line) => /^(EXTENSION|INIT_REPORT)/.test(line))).toEqual([
      extension,
      `INIT_REPORT Init Duration: n ms\tPhase: init\t${status}`,
      extension,
      `INIT_REPORT Init Duration: n ms\tPhase: invoke\t${status}`,
    ]);
    expect(log.at(-1)).toMatch(/\tStatus: error\tError Type: Extension\.\w+$/);
  });

  test.for([
    ['noise', 'noise\n', 'exec format error', 'UnknownError'],
    ['interpreter', '#!/nowhere/sh\n', 'no such file or directory', 'UnknownError'],
  ] as const)(
    '%s: one that cannot be executed is Extension.LaunchError',
    async ([name, content, how, type]) => {
      const functionName = `launch-${name}`;
      const own = await publishPrograms(server.client, functionName, { 'extensions/own': content });
      await deploy(server.client, functionName, FUNCTION, { Layers: [own] });
      const { result, requestId } = await invokeWithLog(server.client, functionName);
      expect(result).toEqual({
        errorType: 'Extension.LaunchError',
        errorMessage: `RequestId: ${requestId} Error: fork/exec /opt/extensions/own: ${how}`,
      });
      expect(await messages(functionName)).toContain(
        `EXTENSION\tName: own\tState: LaunchError\tEvents: []\tError Type: ${type}`,
      );
    },
  );

  test.for([
    ['crash', 'Extension.Crash', 'exit status 3'],
    ['exit-error', 'Extension.ExitError', 'exit status 1'],
  ] as const)(
    '%s while an event runs fails it as %s, and all start anew',
    async ([does, errorType, how]) => {
      await deployWatched(does, { EXTENSION_DOES: does });
      const lost = await invokeWithLog(server.client, does, { hang: true });
      expect(lost.result).toEqual({
        errorType,
        errorMessage: `RequestId: ${lost.requestId} Error: ${how}`,
      });
      expect(lost.log.at(-2)).toMatch(
        new RegExp(` ms\tStatus: error\tError Type: ${errorType.replace('.', '\\.')}$`),
      );
      expect(lost.log.join('\n')).toContain('told to end');
      expect(await environmentsOf(server, does)).toHaveLength(1);
    },
  );

  test.for([
    ['timeout', { hang: true }, 'timeout'],
    ['exit', { exit: true }, 'failure'],
  ] as const)(
    'after a %s they are told why, and start anew in the same environment',
    async ([name, event, reason]) => {
      await deployWatched(`reset-${name}`, {}, 3);
      await invokeWithLog(server.client, `reset-${name}`);
      const lost = await invokeWithLog(server.client, `reset-${name}`, event);
      expect(lost.functionError).toBe('Unhandled');
      expect(lost.log).toContain(`event SHUTDOWN ${reason}`);
      expect((await invokeWithLog(server.client, `reset-${name}`)).result).toBe(1);
      const log = await logOf(server, `reset-${name}`);
      expect(new Set(log.map(({ logStreamName }) => logStreamName)).size).toBe(1);
      expect(log.filter(({ message }) => message.startsWith('registered 200'))).toHaveLength(2);
    },
  );

  test('one that does not finish in time costs the environment its processes, not the caller the answer', async () => {
    await deployWatched('slow', { EXTENSION_DOES: 'hang', EXTENSION_EVENTS: 'INVOKE' }, 3);
    const slow = await invokeWithLog(server.client, 'slow');
    expect(slow).toMatchObject({ functionError: undefined, result: 1 });
    expect(slow.log.at(-2)).toMatch(/\tDuration: 3000.00 ms\t.*\tStatus: timeout$/);
    expect((await invokeWithLog(server.client, 'slow')).result).toBe(1);
  });
});
