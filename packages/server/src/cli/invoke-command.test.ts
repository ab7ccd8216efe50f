import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  type StandInApi,
  callHearth,
  makeFolder,
  startHearth,
  startStandInApi,
} from './cli-harness.ts';

describe('invoke', () => {
  const LOG =
    'START RequestId: r-1 Version: $LATEST\nhello\nREPORT RequestId: r-1\tDuration: 1 ms\t\n';

  function invocation(
    headers: Record<string, string> = {},
    payload = '{"a":1}',
  ): Promise<StandInApi> {
    return startStandInApi((_request, response) => {
      response.writeHead(200, {
        'content-type': 'application/json',
        'x-amzn-requestid': 'r-1',
        'x-amz-executed-version': '$LATEST',
        'x-amz-log-result': Buffer.from(LOG).toString('base64'),
        ...headers,
      });
      response.end(payload);
    });
  }

  test('prints the result on standard output and the report on standard error', async () => {
    const standIn = await invocation();
    expect(await callHearth(standIn, ['invoke', 'hello'])).toEqual({
      exitCode: 0,
      stdout: '{"a":1}\n',
      stderr: 'REPORT RequestId: r-1\tDuration: 1 ms\t\n',
    });
    expect(standIn.requests[0]).toMatchObject({
      method: 'POST',
      target: '/2015-03-31/functions/hello/invocations',
      body: '{}',
      headers: { 'x-amz-invocation-type': 'RequestResponse', 'x-amz-log-type': 'Tail' },
    });
  });

  test('--tail prints the whole log tail', async () => {
    const { stderr } = await callHearth(await invocation(), ['invoke', 'hello', '--tail']);
    expect(stderr).toBe(LOG);
  });

  test('a function error is exit code 1, with the payload on standard output', async () => {
    const standIn = await invocation({ 'x-amz-function-error': 'Unhandled' }, '{"errorType":"E"}');
    const { exitCode, stdout, stderr } = await callHearth(standIn, ['invoke', 'hello']);
    expect([exitCode, stdout]).toEqual([1, '{"errorType":"E"}\n']);
    expect(stderr).toMatch(/REPORT .*\nThe function failed \(Unhandled\)\n$/);
  });

  test('takes the event as JSON, from a file or from standard input', async () => {
    const standIn = await invocation();
    const workingDirectory = makeFolder();
    writeFileSync(join(workingDirectory, 'event.json'), '{"from":"file"}');
    await callHearth(standIn, ['invoke', 'f', '-e', '{"from":"argument"}']);
    await callHearth(standIn, ['invoke', 'f', '--event', 'event.json'], { workingDirectory });
    await callHearth(standIn, ['invoke', 'f', '-e', '-'], { input: '{"from":"stdin"}' });
    expect(standIn.requests.map(({ body }) => JSON.parse(body))).toEqual([
      { from: 'argument' },
      { from: 'file' },
      { from: 'stdin' },
    ]);
  });

  test('sends the client context in base64', async () => {
    const standIn = await invocation();
    await callHearth(standIn, ['invoke', 'f', '--client-context', '{"custom":{}}']);
    const sent = standIn.requests[0]?.headers['x-amz-client-context'];
    expect(Buffer.from(String(sent), 'base64').toString()).toBe('{"custom":{}}');
  });

  test('--async asks for no log and prints no result', async () => {
    const standIn = await startStandInApi((_request, response) => {
      response.writeHead(202, { 'x-amzn-requestid': 'r-9' }).end();
    });
    const { exitCode, stdout, stderr } = await callHearth(standIn, ['invoke', 'f', '--async']);
    expect([exitCode, stdout, stderr]).toEqual([0, '', 'Queued as r-9\n']);
    expect(standIn.requests[0]?.headers).toMatchObject({ 'x-amz-invocation-type': 'Event' });
    expect(standIn.requests[0]?.headers['x-amz-log-type']).toBeUndefined();
  });

  test('--json puts everything on standard output', async () => {
    const { stdout, stderr } = await callHearth(await invocation(), ['invoke', 'f', '--json']);
    expect(stderr).toBe('');
    expect(JSON.parse(stdout)).toEqual({
      statusCode: 200,
      requestId: 'r-1',
      executedVersion: '$LATEST',
      payload: { a: 1 },
      logTail: LOG,
    });
  });

  test('a result that is not JSON is passed on byte by byte', async () => {
    const standIn = await invocation({ 'content-type': 'application/unknown' }, 'abc');
    expect((await callHearth(standIn, ['invoke', 'f'])).stdout).toBe('abc');
  });

  test('Ctrl-C ends it with 130 and without a word', async () => {
    const arrived = Promise.withResolvers<void>();
    const standIn = await startStandInApi(() => arrived.resolve());
    const environment = { HEARTH_ENDPOINT: standIn.endpoint };
    const { child, ended } = startHearth(['invoke', 'f'], { environment });
    await arrived.promise;
    child.kill('SIGINT');
    expect(await ended).toEqual({ exitCode: 130, stdout: '', stderr: '' });
  });
});
