import { describe, expect, test } from 'vitest';
import {
  callHearth,
  CONFIGURATION,
  runHearth,
  sendJson,
  startHearth,
  startStandInApi,
} from './cli-harness.ts';

describe('wrong calls', () => {
  test.each([
    [['functions', 'create', 'f', '--handler', 'a.b', '--dir', '.'], '--runtime must be given'],
    [['functions', 'update', 'f'], 'no setting and no code is given'],
    [['functions', 'update', 'f', '--zip', 'a', '--dir', 'b'], 'only one of --zip, --dir'],
    [['functions', 'update', 'f', '--memory', '1.5'], 'must be a whole number: received "1.5"'],
    [['functions', 'update', 'f', '--env', '=x'], 'must be KEY=VALUE: received "=x"'],
    [['functions', 'list', '--endpoint', 'x'], 'must be an http or https address: received "x"'],
    [['invoke', 'f', '-e', 'no-such-file'], 'must be JSON or a file'],
    [['invoke', 'f', '--client-context', '{'], 'client-context as it must be JSON'],
    [['logs', 'f', '--limit', '0'], 'limit as it must be 1-10000'],
    [['logs', 'f', '--since', 'noon'], 'must be a duration such as 10m'],
    [['start', '--port', 'x'], 'port must be 0-65535: received "x" (from --port)'],
    [['start', '--prot', '1'], "unknown option '--prot' (Did you mean --port?)"],
    [['runtimes', 'list', '--data-dir', ''], 'dataDir must be a path'],
    [['invoke'], "missing required argument 'name'"],
    [['strat'], "unknown command 'strat' (Did you mean start?)"],
    [['functions'], 'a command is missing'],
  ])('a wrong call %j is told in one line: exit 2', async (programArguments, message) => {
    const standIn = await startStandInApi((_request, response) => sendJson(response, 200, {}));
    const { exitCode, stdout, stderr } = await callHearth(standIn, programArguments);
    expect(stderr).toContain(message);
    expect(stderr.split('\n')).toHaveLength(2);
    expect([exitCode, stdout, standIn.requests]).toEqual([2, '', []]);
  });
});

describe('errors of the server', () => {
  test.each([
    [
      404,
      { Message: 'Function not found: x', Type: 'User' },
      'ResourceNotFoundException:http://a/',
    ],
    [404, { message: 'Function not found: x' }, 'ResourceNotFoundException'],
  ])('%s %j is one line: exit 1', async (status, body, errorType) => {
    const standIn = await startStandInApi((_request, response) => {
      response.setHeader('x-amzn-errortype', errorType);
      sendJson(response, status, body);
    });
    const { exitCode, stdout, stderr } = await callHearth(standIn, ['functions', 'get', 'x']);
    expect(stderr).toBe('ResourceNotFoundException: Function not found: x\n');
    expect([exitCode, stdout]).toEqual([1, '']);
  });

  test('a message cannot reach the terminal', async () => {
    const standIn = await startStandInApi((_request, response) =>
      sendJson(response, 500, { message: '\u001b[2J\nx' }),
    );
    const { stderr } = await callHearth(standIn, ['functions', 'get', 'x']);
    expect(stderr).toBe(`HTTP 500: ${String.raw`\x1b[2J\nx`}\n`);
  });

  test('an answer that is not JSON', async () => {
    const standIn = await startStandInApi((_request, response) => response.end('<html>'));
    const { exitCode, stderr } = await callHearth(standIn, ['functions', 'get', 'x']);
    expect(stderr).toMatch(/^Cannot read the answer of http:\S+ as it is not JSON\n$/);
    expect(exitCode).toBe(1);
  });

  test('a connection that breaks', async () => {
    const standIn = await startStandInApi((_request, response) => response.destroy());
    const { exitCode, stderr } = await callHearth(standIn, ['functions', 'get', 'x']);
    expect(stderr).toMatch(/^Cannot reach Hearth at http:\S+: ECONNRESET\n$/);
    expect(exitCode).toBe(1);
  });

  test('no server: the line says how to start one', async () => {
    const { exitCode, stderr } = await runHearth(['doctor', '--endpoint', 'http://127.0.0.1:1']);
    expect(stderr).toMatch(/^Cannot reach Hearth at http:\/\/127\.0\.0\.1:1 .*"hearth start".*\n$/);
    expect(exitCode).toBe(1);
  });

  test('a reader that goes away is no failure', async () => {
    const Functions = Array.from({ length: 20_000 }, () => CONFIGURATION);
    const standIn = await startStandInApi((_request, response) =>
      sendJson(response, 200, { Functions }),
    );
    const environment = { HEARTH_ENDPOINT: standIn.endpoint };
    const { child, ended } = startHearth(['functions', 'list', '--json'], { environment });
    child.stdout.once('data', () => child.stdout.destroy());
    expect(await ended).toMatchObject({ exitCode: 0, stderr: '' });
  });
});
