import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  event,
  INIT,
  ListeningApi,
} from '../../packages/server/src/runtime-api/http/raw-runtime-fixture.ts';
import type { RuntimeResult } from '../../packages/server/src/runtime-api/runtime-session.ts';
import { environmentsOf, PATIENCE } from '../support/environments.ts';
import { deploy, invokeWithLog, type InvokeAnswer } from '../support/function.ts';
import { archiveOfPrograms } from '../support/programs.ts';
import { startTestServer } from '../support/server.ts';
import { installPythonPackage } from '../support/python-package.ts';

const awslambdaric = await installPythonPackage('awslambdaric==4.2.2');
const pythonObstacle = 'reason' in awslambdaric ? awslambdaric.reason : undefined;
const curlObstacle =
  spawnSync('curl', ['--version']).status === 0 ? undefined : 'needs curl on PATH';

const OVERSIZE_RESULT = {
  kind: 'error',
  errorType: 'Function.ResponseSizeTooLarge',
  payload: Buffer.from(
    '{"errorMessage":"Response payload size exceeded maximum allowed payload size (6291556 bytes).","errorType":"Function.ResponseSizeTooLarge"}',
  ),
};

/** A program that calls the Runtime API from outside any sandbox. */
class RuntimeProgram implements AsyncDisposable {
  readonly served: ListeningApi;
  readonly process: ChildProcess;
  readonly #folder: string;

  private constructor(served: ListeningApi, child: ChildProcess, folder: string) {
    this.served = served;
    this.process = child;
    this.#folder = folder;
  }

  static async start(
    files: Record<string, string>,
    argv: readonly [string, ...string[]],
    environment: Record<string, string> = {},
  ): Promise<RuntimeProgram> {
    const folder = await mkdtemp(join(tmpdir(), 'hearth-runtime-client-'));
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
    const served = await ListeningApi.start({ runtime: 'http' });
    const [program, ...rest] = argv;
    const child = spawn(program, rest, {
      cwd: folder,
      stdio: 'ignore',
      // A group of its own, so that what it starts can be ended with it.
      detached: true,
      env: {
        PATH: process.env['PATH'],
        LAMBDA_TASK_ROOT: folder,
        AWS_LAMBDA_RUNTIME_API: `127.0.0.1:${served.port}`,
        AWS_LAMBDA_FUNCTION_NAME: 'f',
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: '128',
        AWS_LAMBDA_LOG_GROUP_NAME: 'g',
        AWS_LAMBDA_LOG_STREAM_NAME: 's',
        ...environment,
      },
    });
    return new RuntimeProgram(served, child, folder);
  }

  static async startPython(handler: string, code: string): Promise<RuntimeProgram> {
    if ('reason' in awslambdaric) throw new Error(awslambdaric.reason);
    return RuntimeProgram.start(
      { 'index.py': code },
      [awslambdaric.python, '-m', 'awslambdaric', handler],
      { PYTHONPATH: awslambdaric.folder },
    );
  }

  init(): Promise<RuntimeResult> {
    return this.served.api.runtime.init(INIT);
  }

  async invoke(requestId: string, payload: object): Promise<RuntimeResult> {
    const { runtime } = this.served.api;
    await runtime.idle();
    return runtime.invoke(
      event(requestId, {
        payload: Buffer.from(JSON.stringify(payload)),
        traceId: 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1',
        clientContext: '{"custom":{"k":"é"}}',
      }),
    );
  }

  signal(signal: NodeJS.Signals): void {
    process.kill(-Number(this.process.pid), signal);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.process.exitCode === null && this.process.signalCode === null) {
      const exited = once(this.process, 'exit');
      this.signal('SIGKILL');
      await exited;
    }
    await this.served[Symbol.asyncDispose]();
    await rm(this.#folder, { recursive: true });
  }
}

function jsonOf(result: RuntimeResult): unknown {
  return result.kind === 'ready' ? undefined : JSON.parse(Buffer.from(result.payload).toString());
}

const PYTHON = `
import os
def handler(event, context):
    if event["do"] == "raise":
        raise ValueError("é")
    if event["do"] == "recurse":
        return handler(event, context)
    if event["do"] == "grow":
        return "a" * event["bytes"]
    return {
        "id": context.aws_request_id,
        "arn": context.invoked_function_arn,
        "custom": context.client_context.custom,
        "trace": os.environ["_X_AMZN_TRACE_ID"],
    }
`;

describe('the published Python runtime interface client', () => {
  test('runs events, errors and large responses', async (context) => {
    context.skip(pythonObstacle !== undefined, pythonObstacle);
    await using program = await RuntimeProgram.startPython('index.handler', PYTHON);
    expect(await program.init()).toEqual({ kind: 'ready' });
    const first = await program.invoke('r1', { do: 'tell' });
    expect(first).toMatchObject({ kind: 'response', contentType: 'application/json' });
    expect(jsonOf(first)).toEqual({
      id: 'r1',
      arn: 'arn:aws:lambda:us-east-1:123456789012:function:f',
      custom: { k: 'é' },
      trace: 'Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Sampled=1',
    });
    const raised = await program.invoke('r2', { do: 'raise' });
    expect(raised).toMatchObject({ kind: 'error', errorType: 'Runtime.Unknown' });
    expect(jsonOf(raised)).toMatchObject({ errorType: 'ValueError', errorMessage: 'é' });
    expect(jsonOf(await program.invoke('r3', { do: 'recurse' }))).toMatchObject({
      errorType: 'RecursionError',
    });
    const large = await program.invoke('r4', { do: 'grow', bytes: 6_291_554 });
    expect(large.kind === 'response' && large.payload.length).toBe(6_291_556);
    expect(await program.invoke('r5', { do: 'grow', bytes: 6_291_555 })).toEqual(OVERSIZE_RESULT);
  });

  test('answers an event that came while it was stopped', async (context) => {
    context.skip(pythonObstacle !== undefined, pythonObstacle);
    await using program = await RuntimeProgram.startPython('index.handler', PYTHON);
    await program.init();
    await program.served.api.runtime.idle();
    program.signal('SIGSTOP');
    const call = program.invoke('r1', { do: 'tell' });
    program.signal('SIGCONT');
    expect(jsonOf(await call)).toMatchObject({ id: 'r1' });
  });

  test('reports that it cannot load the function', async (context) => {
    context.skip(pythonObstacle !== undefined, pythonObstacle);
    await using program = await RuntimeProgram.startPython('index.handler', 'import none_such');
    const result = await program.init();
    expect(result).toMatchObject({ kind: 'error', errorType: 'Runtime.ImportModuleError' });
    expect(jsonOf(result)).toMatchObject({
      errorMessage: "Unable to import module 'index': No module named 'none_such'",
    });
  });
});

describe('the published Python client as the bootstrap of a function', () => {
  test('initialises, answers, fails, is frozen in between, times out and starts anew', async (context) => {
    if ('reason' in awslambdaric) {
      context.skip(awslambdaric.reason);
      return;
    }
    // Its interpreter may be anywhere on the host, which a sandbox would not show.
    await using server = await startTestServer({ sandbox: 'process' });
    const { python, folder } = awslambdaric;
    await deploy(
      server.client,
      'client',
      {},
      {
        Runtime: 'provided.al2023',
        Handler: 'index.handler',
        Timeout: 5,
        Code: {
          ZipFile: archiveOfPrograms({
            bootstrap: `#!/bin/sh\nexec '${python}' -m awslambdaric "$_HANDLER"\n`,
            'index.py': `${PYTHON}
import time
calls = 0
tell = handler
def handler(event, context):
    global calls
    calls += 1
    if event["do"] == "hang":
        time.sleep(60)
    if event["do"] == "count":
        return calls
    return tell(event, context)
`,
          }),
        },
        Environment: { Variables: { PYTHONPATH: folder } },
      },
    );
    const call = (what: object): Promise<InvokeAnswer> =>
      invokeWithLog(server.client, 'client', what);
    expect((await call({ do: 'count' })).result).toBe(1);
    await expect
      .poll(
        async () => (await environmentsOf(server, 'client')).map(({ state }) => state.kind),
        PATIENCE,
      )
      .toEqual(['frozen']);
    expect((await call({ do: 'count' })).result).toBe(2);
    expect(await call({ do: 'raise' })).toMatchObject({
      functionError: 'Unhandled',
      result: { errorType: 'ValueError', errorMessage: 'é' },
    });
    const slow = await call({ do: 'hang' });
    expect(slow.result).toEqual({
      errorType: 'Sandbox.Timedout',
      errorMessage: `RequestId: ${slow.requestId} Error: Task timed out after 5.00 seconds`,
    });
    expect((await call({ do: 'count' })).result).toBe(1);
    expect(await environmentsOf(server, 'client')).toHaveLength(1);
  });
});

const SHELL = `
api="http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime"
while :; do
  event=$(curl -sS -D headers "$api/invocation/next") || exit 1
  id=$(tr -d '\\r' < headers | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
  answer="$api/invocation/$id"
  case $event in
    *fail*) curl -sS -H 'Lambda-Runtime-Function-Error-Type: Runtime.Shell' -d '{"errorMessage":"no"}' "$answer/error" ;;
    *grow*) head -c 6291557 /dev/zero | curl -sS --data-binary @- "$answer/response" ;;
    *stream*) echo '<p>' | curl -sS -H 'Lambda-Runtime-Function-Response-Mode: streaming' -H 'Transfer-Encoding: chunked' -H 'Content-Type: text/html' --data-binary @- "$answer/response" ;;
    *) echo "$event" | curl -sS -H 'Content-Type: application/json' --data-binary @- "$answer/response" ;;
  esac
done
`;

describe('a runtime that is a shell script', () => {
  test('runs events, errors, streamed and large responses', async (context) => {
    context.skip(curlObstacle !== undefined, curlObstacle);
    await using program = await RuntimeProgram.start({ bootstrap: SHELL }, ['sh', 'bootstrap']);
    expect(await program.init()).toEqual({ kind: 'ready' });
    expect(jsonOf(await program.invoke('r1', { do: 'echo' }))).toEqual({ do: 'echo' });
    const failed = await program.invoke('r2', { do: 'fail' });
    expect(failed).toMatchObject({ kind: 'error', errorType: 'Runtime.Shell' });
    expect(jsonOf(failed)).toEqual({ errorMessage: 'no' });
    expect(await program.invoke('r3', { do: 'stream' })).toEqual({
      kind: 'response',
      payload: Buffer.from('<p>\n'),
      contentType: 'text/html',
    });
    expect(await program.invoke('r4', { do: 'grow' })).toEqual(OVERSIZE_RESULT);
    expect(jsonOf(await program.invoke('r5', { do: 'echo' }))).toEqual({ do: 'echo' });
  });
});
