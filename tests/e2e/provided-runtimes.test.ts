import { spawnSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { logOf } from '../support/environments.ts';
import { deploy, invokeWithLog, type InvokeAnswer } from '../support/function.ts';
import { archiveOfPrograms, compileC, publishPrograms } from '../support/programs.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const program = await compileC('runtime.c');
const compilerObstacle = 'reason' in program ? program.reason : undefined;
const curlObstacle =
  spawnSync('curl', ['--version']).status === 0 ? undefined : 'needs curl on PATH';

const SHELL = `#!/bin/sh
base="http://$AWS_LAMBDA_RUNTIME_API"
api="$base/2018-06-01/runtime"
dir=\${TMPDIR:-/tmp}
echo "handler $_HANDLER"
post() { curl -sS -o /dev/null -w '%{http_code} ' "$@"; }
while :; do
  event=$(curl -sS -D "$dir/headers" "$api/invocation/next") || exit 1
  id=$(tr -d '\\r' < "$dir/headers" | sed -n 's/^Lambda-Runtime-Aws-Request-Id: //p')
  attempt=$(tr -d '\\r' < "$dir/headers" | sed -n 's/^Lambda-Runtime-Invocation-Id: //p')
  own="$api/invocation/$id"
  case $event in
    *fail*) post -H 'Lambda-Runtime-Function-Error-Type: Runtime.Shell' -d '{"errorMessage":"no"}' "$own/error" ;;
    *env*) env | sort | post -H 'Content-Type: text/plain' --data-binary @- "$own/response" ;;
    *headers*) post --data-binary "@$dir/headers" -H 'Content-Type: text/plain' "$own/response" ;;
    *hostile*)
      {
        post -d '"forged"' "$api/invocation/00000000-0000-0000-0000-000000000000/response"
        [ -z "$previous" ] || post -d '"late"' "$previous/response"
        post -H 'Lambda-Runtime-Invocation-Id: forged' -d '"forged"' "$own/response"
        post -d '{}' "$api/init/error"
        post -H "Lambda-Runtime-Invocation-Id: $attempt" -d '"own"' "$own/response"
        post -d '"second"' "$own/response"
        post -d '{}' "$own/error"
        echo
      } ;;
    *ping*)
      {
        curl -sS "$base/ping"
        echo
        post "$api/restore/next"
        post -d '{}' "$api/restore/error"
        echo
        post -d 1 "$own/response"
      } ;;
    *exit*) exit 9 ;;
    *) echo "$event" | post --data-binary @- "$own/response" ;;
  esac
  previous=$own
done
`;

function linesOf({ log }: InvokeAnswer): readonly string[] {
  return log.map((line) => line.trim());
}

// With the log's tail an answer comes when the runtime waits for its next event, which then goes to it.
describe.each(['auto', 'process'] as const)('provided.*, with the sandbox %s', (sandbox) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ sandbox });
  });

  afterAll(() => server[Symbol.asyncDispose]());

  const deployPrograms = (
    name: string,
    programs: Record<string, string | Buffer>,
    settings: Parameters<typeof deploy>[3] = {},
  ): Promise<void> =>
    deploy(
      server.client,
      name,
      {},
      {
        Runtime: 'provided.al2023',
        Handler: 'anything',
        Code: { ZipFile: archiveOfPrograms(programs) },
        Timeout: 10,
        MemorySize: 1_769,
        ...settings,
      },
    );

  describe('a shell script', () => {
    test('is the bootstrap of the archive: events, errors, an exit and a new process', async (context) => {
      context.skip(curlObstacle !== undefined, curlObstacle);
      await deployPrograms('shell', { bootstrap: SHELL }, { Handler: 'my.handler' });
      const cold = await invokeWithLog(server.client, 'shell', { do: 'echo' });
      expect(cold.result).toEqual({ do: 'echo' });
      expect(cold.log.join('\n')).toMatch(/\tInit Duration: [\d.]+ ms\t$/m);
      expect(await invokeWithLog(server.client, 'shell', { do: 'fail' })).toMatchObject({
        functionError: 'Unhandled',
        result: { errorMessage: 'no' },
      });
      const exit = await invokeWithLog(server.client, 'shell', { do: 'exit' });
      expect(exit.result).toEqual({
        errorType: 'Runtime.ExitError',
        errorMessage: `RequestId: ${exit.requestId} Error: Runtime exited with error: exit status 9`,
      });
      const next = await invokeWithLog(server.client, 'shell', { do: 'echo' });
      expect(next.result).toEqual({ do: 'echo' });
      expect(next.log.join('\n')).not.toContain('Init Duration');
      const log = await logOf(server, 'shell');
      expect(new Set(log.map(({ logStreamName }) => logStreamName)).size).toBe(1);
      expect(log.filter(({ message }) => message === 'handler my.handler')).toHaveLength(2);
      expect(log[0]?.message).toMatch(
        /^INIT_START Runtime Version: provided:al2023\.v1\tRuntime Version ARN: arn:aws:lambda:us-east-1::runtime:[0-9a-f]{64}$/,
      );
    });

    test('is found in a layer where the archive has none', async (context) => {
      context.skip(curlObstacle !== undefined, curlObstacle);
      const layer = await publishPrograms(server.client, 'shell', { bootstrap: SHELL });
      await deployPrograms('layered', { 'data.txt': '' }, { Layers: [layer] });
      expect((await invokeWithLog(server.client, 'layered', [1])).result).toEqual([1]);
    });

    test('is told of the event by headers, and of the function by variables', async (context) => {
      context.skip(curlObstacle !== undefined, curlObstacle);
      await deployPrograms('told', { bootstrap: SHELL }, { Runtime: 'provided.al2' });
      const arn = 'arn:aws:lambda:us-east-1:000000000000:function:told';
      const before = Date.now();
      const headers = await invokeText(server, 'told', { do: 'headers' }, { custom: { k: 'é' } });
      expect(headers.text).toMatch(
        new RegExp(`^Lambda-Runtime-Aws-Request-Id: ${headers.requestId}$`, 'm'),
      );
      expect(headers.text).toContain(`Lambda-Runtime-Invoked-Function-Arn: ${arn}\n`);
      expect(headers.text).toContain('Lambda-Runtime-Client-Context: {"custom":{"k":"é"}}\n');
      expect(headers.text).toMatch(/^Lambda-Runtime-Trace-Id: Root=1-[0-9a-f]{8}-[0-9a-f]{24};/m);
      expect(headers.text).toMatch(/^Lambda-Runtime-Invocation-Id: \S+$/m);
      expect(headers.text).not.toMatch(/Cognito|Tenant/);
      const deadline = Number(/^Lambda-Runtime-Deadline-Ms: (\d+)$/m.exec(headers.text)?.[1]);
      expect(deadline).toBeGreaterThanOrEqual(before + 10_000);
      const { text } = await invokeText(server, 'told', { do: 'env' });
      expect(text).toContain('AWS_LAMBDA_FUNCTION_NAME=told\n');
      expect(text).toContain('AWS_LAMBDA_INITIALIZATION_TYPE=on-demand\n');
      expect(text).not.toContain('AWS_EXECUTION_ENV');
    });

    test('E50 to E54 what is forged, late, wrong or second is refused and reaches nobody', async (context) => {
      context.skip(curlObstacle !== undefined, curlObstacle);
      await deployPrograms('hostile', { bootstrap: SHELL });
      for (const statuses of ['400 400 403 202 400 400', '400 400 400 403 202 400 400']) {
        const answer = await invokeWithLog(server.client, 'hostile', { do: 'hostile' });
        expect(answer.result).toBe('own');
        expect(linesOf(answer)).toContain(statuses);
      }
      expect((await invokeWithLog(server.client, 'hostile', { do: 'echo' })).result).toEqual({
        do: 'echo',
      });
    });

    test('may report that it cannot initialise, and the caller gets its words', async (context) => {
      context.skip(curlObstacle !== undefined, curlObstacle);
      const words = '{ "errorType": "Own", "errorMessage": "no é" }';
      await deployPrograms('uninitialised', {
        bootstrap: `#!/bin/sh
          curl -sS -d '${words}' -H 'Lambda-Runtime-Function-Error-Type: Runtime.NoSetting' \\
            "http://$AWS_LAMBDA_RUNTIME_API/2018-06-01/runtime/init/error"
          exit 1\n`,
      });
      expect((await invokeText(server, 'uninitialised', {})).text).toBe(words);
      const log = (await logOf(server, 'uninitialised')).map(({ message }) => message);
      const status = 'Status: error\tError Type: Runtime.NoSetting';
      expect(log.filter((line) => line.startsWith('INIT_REPORT'))).toEqual([
        expect.stringContaining(`\tPhase: init\t${status}`),
        expect.stringContaining(`\tPhase: invoke\t${status}`),
      ]);
    });

    test('has /ping, and SnapStart’s calls are not there', async (context) => {
      context.skip(curlObstacle !== undefined, curlObstacle);
      await deployPrograms('ping', { bootstrap: SHELL });
      const answer = await invokeWithLog(server.client, 'ping', { do: 'ping' });
      expect(linesOf(answer)).toEqual(expect.arrayContaining(['pong', '404 404']));
    });
  });

  describe('a compiled program', () => {
    test('echoes, fails, exits and crashes', async (context) => {
      context.skip(compilerObstacle !== undefined, compilerObstacle);
      if ('reason' in program) return;
      await deployPrograms('compiled', { bootstrap: program });
      const echo = await invokeWithLog(server.client, 'compiled', { do: 'echo' });
      expect(echo.result).toEqual({ do: 'echo' });
      expect((await invokeWithLog(server.client, 'compiled', { do: 'fail' })).result).toEqual({
        errorMessage: 'no',
        errorType: 'CError',
      });
      for (const [event, how] of [
        ['exit', 'exit status 7'],
        ['segv', 'signal: segmentation fault'],
      ]) {
        const lost = await invokeWithLog(server.client, 'compiled', { do: event });
        expect(lost.result).toEqual({
          errorType: 'Runtime.ExitError',
          errorMessage: `RequestId: ${lost.requestId} Error: Runtime exited with error: ${how}`,
        });
        expect(lost.log.at(-2)).toMatch(/ MB\tStatus: error\tError Type: Runtime.ExitError$/);
        expect((await invokeWithLog(server.client, 'compiled', [2])).result).toEqual([2]);
      }
    });

    test('streams its response, and may end it with an error in the trailers', async (context) => {
      context.skip(compilerObstacle !== undefined, compilerObstacle);
      if ('reason' in program) return;
      const layer = await publishPrograms(server.client, 'compiled', { bootstrap: program });
      await deployPrograms('streams', { 'data.txt': '' }, { Layers: [layer] });
      expect((await invokeText(server, 'streams', { do: 'stream' })).text).toBe('<p>hello');
      expect(await invokeWithLog(server.client, 'streams', { do: 'break' })).toMatchObject({
        functionError: 'Unhandled',
        result: { errorMessage: 'broke' },
      });
      expect((await invokeWithLog(server.client, 'streams', [3])).result).toEqual([3]);
    });
  });

  test.for([
    [
      'nothing to run',
      {},
      "Couldn't find valid bootstrap(s): [/var/task/bootstrap /opt/bootstrap]",
    ],
    ['noise', { bootstrap: 'noise\n' }, 'fork/exec /var/task/bootstrap: exec format error'],
    [
      'no interpreter',
      { bootstrap: '#!/nowhere/sh\n' },
      'fork/exec /var/task/bootstrap: no such file or directory',
    ],
  ] as const)(
    '%s is Runtime.InvalidEntrypoint in both phases of init',
    async ([name, programs, message]) => {
      const functionName = name.replaceAll(' ', '-');
      await deployPrograms(functionName, { 'data.txt': '', ...programs });
      const { result, requestId, functionError } = await invokeWithLog(server.client, functionName);
      expect(functionError).toBe('Unhandled');
      expect(result).toEqual({
        errorType: 'Runtime.InvalidEntrypoint',
        errorMessage: `RequestId: ${requestId} Error: ${message}`,
      });
      const log = await logOf(server, functionName);
      expect(log.map((line) => line.message.replace(/\d+\.\d\d ms/, 'n ms'))).toEqual([
        expect.stringMatching(/^INIT_START /),
        'INIT_REPORT Init Duration: n ms\tPhase: init\tStatus: error\tError Type: Runtime.InvalidEntrypoint',
        'INIT_REPORT Init Duration: n ms\tPhase: invoke\tStatus: error\tError Type: Runtime.InvalidEntrypoint',
        `START RequestId: ${requestId} Version: $LATEST`,
        `END RequestId: ${requestId}`,
        expect.stringMatching(/\tStatus: error\tError Type: Runtime.InvalidEntrypoint$/),
      ]);
    },
  );
});

/** Invokes over plain HTTP, as the answer need not be JSON. */
async function invokeText(
  server: TestServer,
  functionName: string,
  event: unknown,
  clientContext?: object,
): Promise<{ text: string; requestId: string }> {
  const response = await fetch(
    `${server.endpoint}/2015-03-31/functions/${functionName}/invocations`,
    {
      method: 'POST',
      body: JSON.stringify(event),
      headers: {
        ...(clientContext !== undefined && {
          'X-Amz-Client-Context': Buffer.from(JSON.stringify(clientContext)).toString('base64'),
        }),
      },
    },
  );
  return {
    text: (await response.text()).replaceAll('\r', ''),
    requestId: response.headers.get('x-amzn-requestid') ?? '',
  };
}
