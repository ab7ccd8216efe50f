import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { environmentsOf, logOf, transitionsOf } from '../support/environments.ts';
import { deploy, invokeWithLog, type InvokeAnswer } from '../support/function.ts';
import { findPython } from '../support/python.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = await findPython();
const PYTHON_OBSTACLE = python === undefined ? 'no Python 3.9 or newer on PATH' : undefined;

/** Figures that differ from run to run. */
function masked(line: string): string {
  return line
    .replaceAll(/\d+\.\d\d ms/g, 'n ms')
    .replaceAll(/Billed Duration: \d+ ms/g, 'Billed Duration: n ms')
    .replaceAll(/Used: \d+ MB/g, 'Used: n MB');
}

/** The platform's own lines; what the runtime prints is its own affair. */
const PLATFORM_LINE = /^(INIT_START|INIT_REPORT|START|END|REPORT) /;

let server: TestServer;

beforeAll(async () => {
  server = await startTestServer();
});

afterAll(() => server[Symbol.asyncDispose]());

async function enforcesMemory(): Promise<boolean> {
  const response = await fetch(`${server.endpoint}/_hearth/health`);
  const { sandbox } = (await response.json()) as { sandbox: { enforcement: { memory: boolean } } };
  return sandbox.enforcement.memory;
}

function exitPayload({ requestId }: InvokeAnswer, how: string): object {
  return {
    errorType: 'Runtime.ExitError',
    errorMessage: `RequestId: ${requestId} Error: Runtime exited ${how}`,
  };
}

/** Once for each phase, and in the log of the event. */
async function expectInitReported(
  functionName: string,
  { requestId }: InvokeAnswer,
  errorType: string,
): Promise<void> {
  const status = `Status: error\tError Type: ${errorType}`;
  const log = (await logOf(server, functionName)).map(({ message }) => masked(message));
  expect(log.filter((line) => PLATFORM_LINE.test(line))).toEqual([
    expect.stringMatching(/^INIT_START Runtime Version: \S+\tRuntime Version ARN: \S+$/),
    `INIT_REPORT Init Duration: n ms\tPhase: init\t${status}`,
    `INIT_REPORT Init Duration: n ms\tPhase: invoke\t${status}`,
    `START RequestId: ${requestId} Version: $LATEST`,
    `END RequestId: ${requestId}`,
    `REPORT RequestId: ${requestId}\tDuration: n ms\tBilled Duration: n ms\tMemory Size: 128 MB\t` +
      `Max Memory Used: n MB\t${status}`,
  ]);
}

async function expectReplaced(functionName: string, stream: unknown): Promise<void> {
  const next = await invokeWithLog(server.client, functionName);
  expect(next.result).toEqual({ calls: 1, kept: true, stream });
  expect(next.log.join('\n')).not.toMatch(/Init Duration|INIT_/);
  expect(await environmentsOf(server, functionName)).toHaveLength(1);
}

describe('an init that fails', () => {
  const NODE_CASES = [
    ['import', `require('nope');`, 'Runtime.ImportModuleError', "Error: Cannot find module 'nope'"],
    ['syntax', `exports.handler = () => {`, 'Runtime.UserCodeSyntaxError', 'SyntaxError: '],
    ['missing', `exports.other = 1;`, 'Runtime.HandlerNotFound', 'index.handler is undefined'],
    ['no-function', `exports.handler = 1;`, 'Runtime.HandlerNotFound', 'index.handler is not a f'],
    ['custom', `throw Object.assign(new Error('own'), { name: 'OwnError' });`, 'OwnError', 'own'],
    [
      'rejected',
      `Promise.reject(1); exports.handler = async () => 1;`,
      'Runtime.UnhandledPromiseRejection',
      '1',
    ],
  ] as const;
  const PYTHON_CASES = [
    ['import', `import nope`, 'Runtime.ImportModuleError', "Unable to import module 'index': No"],
    ['syntax', `def handler(`, 'Runtime.UserCodeSyntaxError', "Syntax error in module 'index': "],
    ['missing', `other = 1`, 'Runtime.HandlerNotFound', "Handler 'handler' missing on module '"],
    ['custom', `class OwnError(Exception): pass\nraise OwnError("own")`, 'OwnError', 'own'],
  ] as const;
  const CASES = [
    ...NODE_CASES.map((one) => [...one, 'nodejs24.x', 'index.js', undefined] as const),
    ...PYTHON_CASES.map((one) => [...one, 'python3.12', 'index.py', PYTHON_OBSTACLE] as const),
  ];

  test.for(CASES)(
    '%s',
    async ([name, source, errorType, message, runtime, file, obstacle], context) => {
      context.skip(obstacle !== undefined, obstacle);
      const functionName = `init-${name}-${runtime.slice(0, 6)}`;
      await deploy(server.client, functionName, { [file]: source }, { Runtime: runtime });
      const failed = await invokeWithLog(server.client, functionName);
      expect(failed).toMatchObject({
        functionError: 'Unhandled',
        result: { errorType, errorMessage: expect.stringContaining(message) },
      });
      // A name of the function's own is the caller's to see alone.
      const reported = errorType.startsWith('Runtime.') ? errorType : 'Runtime.Unknown';
      await expectInitReported(functionName, failed, reported);
      // It is tried again with each event.
      const again = await invokeWithLog(server.client, functionName);
      expect(again).toMatchObject({ functionError: 'Unhandled', result: { errorType } });
      expect(again.log.join('\n')).toContain(`\tPhase: invoke\tStatus: error\tError Type: `);
    },
  );

  test.for([
    ['code', 'process.exit(7)', 'with error: exit status 7'],
    ['zero', 'process.exit(0)', 'without providing a reason'],
    ['kill', 'process.kill(process.pid, "SIGKILL"); for (;;);', 'with error: signal: killed'],
  ] as const)('an exit during it is Runtime.ExitError: %s', async ([name, source, how]) => {
    const functionName = `init-exit-${name}`;
    await deploy(server.client, functionName, { 'index.js': `console.log('last'); ${source}` });
    const failed = await invokeWithLog(server.client, functionName);
    expect(failed.result).toEqual(exitPayload(failed, how));
    await expectInitReported(functionName, failed, 'Runtime.ExitError');
    const log = (await logOf(server, functionName)).map(({ message }) => message);
    const said = log.flatMap((line, index) => (line.endsWith('\tlast') ? [index] : []));
    const reported = log.flatMap((line, index) => (line.startsWith('INIT_REPORT') ? [index] : []));
    expect(said).toHaveLength(2);
    expect(said.every((index, nth) => index < Number(reported[nth]))).toBe(true);
  });

  test('may succeed when it is tried again, and then counts as part of the event', async () => {
    await deploy(server.client, 'init-second', {
      'index.js': `const fs = require('node:fs');
        const file = (process.env.TMPDIR ?? '/tmp') + '/tried';
        const isFirst = !fs.existsSync(file);
        fs.writeFileSync(file, '');
        if (isFirst) throw new Error('once');
        const until = Date.now() + 100;
        while (Date.now() < until);
        exports.handler = async () => process.env.AWS_LAMBDA_INITIALIZATION_TYPE;`,
    });
    const { result, log } = await invokeWithLog(server.client, 'init-second');
    expect(result).toBe('on-demand');
    const report = /\tDuration: ([\d.]+) ms\tBilled Duration: (\d+) ms\t/.exec(log.join('\n'));
    expect(Number(report?.[1])).toBeGreaterThanOrEqual(100);
    expect(Number(report?.[2])).toBe(Math.ceil(Number(report?.[1])));
    expect(log.join('\n')).not.toContain('Init Duration');
  });
});

describe('an event whose process is lost', () => {
  const NODE = `
    const fs = require('node:fs');
    const kept = (process.env.TMPDIR ?? '/tmp') + '/kept';
    let calls = 0;
    exports.handler = async ({ code, signal, kill1, hang, spin, grow }) => {
      calls += 1;
      if (code !== undefined || signal || hang || spin || grow) fs.writeFileSync(kept, '');
      if (code !== undefined) process.exit(code);
      if (signal) process.kill(process.pid, signal);
      if (spin) for (;;);
      if (grow) for (const all = []; ; ) all.push(Buffer.alloc(8 << 20, 1));
      if (hang || signal) await new Promise((resolve) => setTimeout(resolve, 60_000));
      return { calls, kept: fs.existsSync(kept), stream: process.env.AWS_LAMBDA_LOG_STREAM_NAME };
    };`;

  async function deployLossy(functionName: string, settings: object = {}): Promise<unknown> {
    await deploy(server.client, functionName, { 'index.js': NODE }, { Timeout: 30, ...settings });
    const { result } = await invokeWithLog(server.client, functionName);
    expect(result).toMatchObject({ calls: 1, kept: false });
    return (result as { stream: string }).stream;
  }

  test.for([
    ['exit-0', { code: 0 }, 'without providing a reason'],
    ['exit-3', { code: 3 }, 'with error: exit status 3'],
    ['exit-130', { code: 130 }, 'with error: exit status 130'],
    ['kill-9', { signal: 'SIGKILL' }, 'with error: signal: killed'],
    ['terminated', { signal: 'SIGTERM' }, 'with error: signal: terminated'],
    ['segv', { signal: 'SIGSEGV' }, 'with error: signal: segmentation fault'],
    ['abort', { signal: 'SIGABRT' }, 'with error: signal: aborted'],
  ] as const)('%s: Runtime.ExitError, and the environment stays', async ([name, event, how]) => {
    const stream = await deployLossy(name);
    const lost = await invokeWithLog(server.client, name, event);
    expect(lost.result).toEqual(exitPayload(lost, how));
    expect(lost.functionError).toBe('Unhandled');
    expect(lost.log.map(masked)).toEqual([
      `START RequestId: ${lost.requestId} Version: $LATEST`,
      `END RequestId: ${lost.requestId}`,
      `REPORT RequestId: ${lost.requestId}\tDuration: n ms\tBilled Duration: n ms\tMemory Size: 128 MB\t` +
        'Max Memory Used: n MB\tStatus: error\tError Type: Runtime.ExitError',
      '',
    ]);
    await expectReplaced(name, stream);
  });

  test.for([['hang'], ['spin']] as const)(
    '%s: Sandbox.Timedout, and the environment stays',
    async ([how]) => {
      const name = `timeout-${how}`;
      const stream = await deployLossy(name, { Timeout: 1 });
      const lost = await invokeWithLog(server.client, name, { [how]: true });
      expect(lost.result).toEqual({
        errorType: 'Sandbox.Timedout',
        errorMessage: `RequestId: ${lost.requestId} Error: Task timed out after 1.00 seconds`,
      });
      expect(lost.log[2]?.replace(/\d+ MB\t(?=Status)/, 'n MB\t')).toBe(
        `REPORT RequestId: ${lost.requestId}\tDuration: 1000.00 ms\tBilled Duration: 1000 ms\t` +
          'Memory Size: 128 MB\tMax Memory Used: n MB\tStatus: timeout',
      );
      await expectReplaced(name, stream);
    },
  );

  test('the deadline is kept to 20 ms', async () => {
    await deployLossy('deadline', { Timeout: 1 });
    const [environment] = await environmentsOf(server, 'deadline');
    const offsMs: number[] = [];
    // A machine that is busy with other things may be late; it is never early.
    for (let round = 0; round < 5 && !offsMs.some((offMs) => offMs <= 20); round += 1) {
      await invokeWithLog(server.client, 'deadline', { hang: true });
      const moves = await transitionsOf(server, environment?.id ?? '');
      const started = moves.findLast(({ event }) => event.kind === 'invoke-started');
      const lost = moves.findLast(({ event }) => event.kind === 'process-lost');
      offsMs.push((lost?.timeMs ?? 0) - (started?.timeMs ?? 0) - 1_000);
      await invokeWithLog(server.client, 'deadline');
    }
    expect(Math.min(...offsMs)).toBeGreaterThanOrEqual(-20);
    expect(Math.min(...offsMs)).toBeLessThanOrEqual(20);
  });

  test('out of memory: signal killed to the caller, Runtime.OutOfMemory in REPORT', async (context) => {
    context.skip(!(await enforcesMemory()), 'no memory limit is enforced here');
    const stream = await deployLossy('out-of-memory', { MemorySize: 1_024, Timeout: 60 });
    const lost = await invokeWithLog(server.client, 'out-of-memory', { grow: true });
    expect(lost.result).toEqual(exitPayload(lost, 'with error: signal: killed'));
    expect(lost.log.at(-2)).toMatch(/ MB\tStatus: error\tError Type: Runtime.OutOfMemory$/);
    await expectReplaced('out-of-memory', stream);
  });

  test('Python: a crash below the interpreter and a killed process', async (context) => {
    context.skip(PYTHON_OBSTACLE !== undefined, PYTHON_OBSTACLE);
    await deploy(
      server.client,
      'python-lost',
      {
        'index.py': `
import ctypes, os, subprocess
calls = 0
def handler(event, context):
    global calls
    calls += 1
    if event.get("do") == "crash":
        ctypes.string_at(0)
    if event.get("do") == "kill":
        subprocess.run(["sh", "-c", "kill -9 %d" % os.getpid()])
    return calls
`,
      },
      { Runtime: 'python3.12', MemorySize: 512, Timeout: 20 },
    );
    for (const [event, how] of [
      ['crash', 'with error: signal: segmentation fault'],
      ['kill', 'with error: signal: killed'],
    ] as const) {
      const lost = await invokeWithLog(server.client, 'python-lost', { do: event });
      expect(lost.result).toEqual(exitPayload(lost, how));
      expect((await invokeWithLog(server.client, 'python-lost')).result).toBe(1);
    }
  });

  test('the log’s tail is its last 4 KB', async () => {
    await deploy(server.client, 'tail', {
      'index.js': `exports.handler = async () => {
        for (let n = 0; n < 100; n += 1) process.stdout.write(n + 'x'.repeat(100) + '\\n');
      };`,
    });
    const { log } = await invokeWithLog(server.client, 'tail');
    const text = log.join('\n');
    expect(Buffer.byteLength(text)).toBe(4_096);
    expect(text).toMatch(/\n99x{100}\nEND RequestId: .*\nREPORT RequestId: .*\t\n$/);
  });
});
