import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deploy, invoke, invokeWithLog } from '../support/function.ts';
import { startTestServer, type TestServer } from '../support/server.ts';
import { findPython } from '../support/python.ts';

const python = await findPython();

describe.skipIf(python === undefined)(
  'a Python function (skipped where there is no Python)',
  () => {
    let server: TestServer;

    async function deployPython(name: string, source: string, timeoutSeconds = 10): Promise<void> {
      await deploy(
        server.client,
        name,
        { 'app.py': source },
        { Runtime: 'python3.12', Handler: 'app.handler', Timeout: timeoutSeconds },
      );
    }

    beforeAll(async () => {
      server = await startTestServer();
    });

    afterAll(async () => {
      await server[Symbol.asyncDispose]();
    });

    test('runs cold, then warm in the same environment', async () => {
      await deployPython(
        'py-counter',
        'calls = 0\ndef handler(event, context):\n    global calls\n    calls += 1\n    return {"calls": calls, "event": event}\n',
      );
      const cold = await invokeWithLog(server.client, 'py-counter', { ä: 'ö' });
      expect(cold).toMatchObject({ status: 200, result: { calls: 1, event: { ä: 'ö' } } });
      expect(cold.log.join('\n')).toMatch(/REPORT .*\tInit Duration: [\d.]+ ms\t/);
      expect((await invoke(server.client, 'py-counter')).result).toMatchObject({ calls: 2 });
    });

    test('an exception is answered with the keys of the Python runtime, and the process is kept', async () => {
      await deployPython(
        'py-thrower',
        'calls = 0\ndef handler(event, context):\n    global calls\n    calls += 1\n    if event.get("fail"):\n        raise ValueError("no good")\n    return calls\n',
      );
      const { result, functionError, requestId, log } = await invokeWithLog(
        server.client,
        'py-thrower',
        { fail: true },
      );
      expect(functionError).toBe('Unhandled');
      expect(Object.keys(result as object)).toEqual([
        'errorMessage',
        'errorType',
        'requestId',
        'stackTrace',
      ]);
      expect(result).toMatchObject({ errorMessage: 'no good', errorType: 'ValueError', requestId });
      expect(log.join('\n')).toContain('[ERROR] ValueError: no good');
      expect((await invoke(server.client, 'py-thrower')).result).toBe(2);
    });

    test('what it prints and logs is between START and END', async () => {
      await deployPython(
        'py-logs',
        'import logging\ndef handler(event, context):\n    print("printed")\n    logging.getLogger().warning("one\\ntwo")\n',
      );
      const { log, requestId } = await invokeWithLog(server.client, 'py-logs');
      expect(log[0]).toBe(`START RequestId: ${requestId} Version: $LATEST`);
      expect(log.slice(1, 4).toSorted()).toEqual([
        expect.stringMatching(new RegExp(`^\\[WARNING\\]\\t\\S+Z\\t${requestId}\\tone$`)),
        'printed',
        'two',
      ]);
      expect(log[4]).toBe(`END RequestId: ${requestId}`);
    });

    test('a timeout and an exit replace the process', async () => {
      await deployPython(
        'py-ends',
        'import os, time\ncalls = 0\ndef handler(event, context):\n    global calls\n    calls += 1\n    if event.get("hang"):\n        time.sleep(60)\n    if "code" in event:\n        os._exit(event["code"])\n    return calls\n',
        1,
      );
      expect((await invoke(server.client, 'py-ends')).result).toBe(1);
      expect((await invoke(server.client, 'py-ends', { hang: 1 })).result).toMatchObject({
        errorType: 'Sandbox.Timedout',
      });
      expect((await invoke(server.client, 'py-ends')).result).toBe(1);
      expect((await invoke(server.client, 'py-ends', { code: 7 })).result).toMatchObject({
        errorType: 'Runtime.ExitError',
        errorMessage: expect.stringContaining('exit status 7'),
      });
      expect((await invoke(server.client, 'py-ends')).result).toBe(1);
    });

    test('a module that is missing is an init error without a request id', async () => {
      await deployPython('py-broken', 'import not_there\n');
      expect((await invoke(server.client, 'py-broken')).result).toMatchObject({
        errorType: 'Runtime.ImportModuleError',
        errorMessage: "Unable to import module 'app': No module named 'not_there'",
        requestId: '',
      });
    });

    test('the context tells request, function, memory, log and remaining time', async () => {
      await deployPython(
        'py-context',
        'def handler(event, context):\n    return [context.aws_request_id, context.function_name, context.function_version, context.memory_limit_in_mb, context.invoked_function_arn, context.log_stream_name, context.get_remaining_time_in_millis()]\n',
      );
      const { result, requestId } = await invoke(server.client, 'py-context');
      expect(result).toEqual([
        requestId,
        'py-context',
        '$LATEST',
        '128',
        'arn:aws:lambda:us-east-1:000000000000:function:py-context',
        expect.stringMatching(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/),
        expect.any(Number),
      ]);
    });
  },
);
