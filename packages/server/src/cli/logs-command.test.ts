import { describe, expect, test } from 'vitest';
import {
  type Answer,
  type StandInApi,
  callHearth,
  CONFIGURATION,
  sendJson,
  startHearth,
  startStandInApi,
  untilWritten,
} from './cli-harness.ts';

function logsOf(answer: Answer): Promise<StandInApi> {
  return startStandInApi((request, response) => {
    if (request.target.startsWith('/_hearth/')) answer(request, response);
    else sendJson(response, 200, CONFIGURATION);
  });
}

describe('logs', () => {
  const EVENTS = [
    { timestampMs: 0, logStreamName: 's', requestId: 'r', message: 'one\n' },
    { timestampMs: 1_500, logStreamName: 's', message: 'two\u001b[0m' },
  ];

  test("asks for the function's own group, account and region", async () => {
    const standIn = await logsOf((_request, response) =>
      sendJson(response, 200, { events: EVENTS }),
    );
    const { exitCode, stdout } = await callHearth(standIn, [
      'logs',
      'hello',
      '--limit',
      '5',
      '--since',
      '1970-01-01T00:00:01Z',
      '--request-id',
      'r',
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toBe('1970-01-01T00:00:00.000Z one\n1970-01-01T00:00:01.500Z two\u001b[0m\n');
    const url = new URL(standIn.requests[1]?.target ?? '', 'http://x');
    expect([url.pathname, Object.fromEntries(url.searchParams)]).toEqual([
      '/_hearth/logs',
      {
        account: '123456789012',
        region: 'eu-west-1',
        group: '/custom/group',
        limit: '5',
        since: '1000',
        requestId: 'r',
      },
    ]);
  });

  test('the further lines of a message are indented, so that they look like no event', async () => {
    const message = 'one\n1970-01-01T00:00:00.000Z two\n';
    const standIn = await logsOf((_request, response) =>
      sendJson(response, 200, { events: [{ timestampMs: 0, logStreamName: 's', message }] }),
    );
    const { stdout } = await callHearth(standIn, ['logs', 'hello']);
    expect(stdout).toBe(
      `1970-01-01T00:00:00.000Z one\n${' '.repeat(25)}1970-01-01T00:00:00.000Z two\n`,
    );
  });

  test('--json prints one event per line', async () => {
    const standIn = await logsOf((_request, response) =>
      sendJson(response, 200, { events: EVENTS }),
    );
    const { stdout } = await callHearth(standIn, ['logs', 'hello', '--json']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines.map((line): unknown => JSON.parse(line))).toEqual(EVENTS);
  });

  test('-f prints events as they come, until Ctrl-C ends it with 130', async () => {
    const standIn = await logsOf((_request, response) => {
      response.write(`${JSON.stringify(EVENTS[0])}\n`);
    });
    const environment = { HEARTH_ENDPOINT: standIn.endpoint };
    const { child, ended } = startHearth(['logs', 'hello', '-f'], { environment });
    await untilWritten(child.stdout, 'one\n');
    child.kill('SIGINT');
    expect(await ended).toEqual({
      exitCode: 130,
      stdout: '1970-01-01T00:00:00.000Z one\n',
      stderr: '',
    });
    expect(standIn.requests[1]?.target).toContain('follow=true');
  });

  test('-f says so where the server goes away', async () => {
    const standIn = await logsOf((_request, response) => {
      response.write(`${JSON.stringify(EVENTS[0])}\n{"droppedEvents":3}\n`);
      response.socket?.end();
    });
    const { exitCode, stderr } = await callHearth(standIn, ['logs', 'hello', '-f']);
    expect(stderr).toMatch(/^3 events left out .*\nCannot follow any longer .*\n$/);
    expect(exitCode).toBe(1);
  });
});
