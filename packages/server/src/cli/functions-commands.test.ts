import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { callHearth, CONFIGURATION, makeFolder, sendJson, startStandInApi } from './cli-harness.ts';

describe('functions', () => {
  test('list goes through all pages', async () => {
    const standIn = await startStandInApi((request, response) => {
      const isFirst = !request.target.includes('Marker=');
      sendJson(response, 200, {
        Functions: [{ ...CONFIGURATION, FunctionName: isFirst ? 'first' : 'second' }],
        ...(isFirst ? { NextMarker: 'a/b=' } : {}),
      });
    });
    const { exitCode, stdout } = await callHearth(standIn, ['functions', 'list']);
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/^NAME +RUNTIME.*\nfirst +nodejs22\.x.*\nsecond +nodejs22\.x.*\n$/);
    expect(standIn.requests.map(({ target }) => target)).toEqual([
      '/2015-03-31/functions',
      '/2015-03-31/functions?Marker=a%2Fb%3D',
    ]);
  });

  test('list --json prints the functions as the API gives them', async () => {
    const standIn = await startStandInApi((_request, response) =>
      sendJson(response, 200, { Functions: [CONFIGURATION], NextMarker: null }),
    );
    const { stdout, stderr } = await callHearth(standIn, ['functions', 'list', '--json']);
    expect([JSON.parse(stdout), stderr]).toEqual([{ Functions: [CONFIGURATION] }, '']);
  });

  test('create sends the folder and waits until the function is active', async () => {
    let polls = 0;
    const standIn = await startStandInApi((request, response) => {
      if (request.method === 'POST')
        sendJson(response, 201, { ...CONFIGURATION, State: 'Pending' });
      else
        sendJson(response, 200, {
          ...CONFIGURATION,
          State: (polls += 1) < 3 ? 'Pending' : 'Active',
        });
    });
    const workingDirectory = makeFolder();
    writeFileSync(join(workingDirectory, 'index.js'), 'exports.handler = 1;');
    const { exitCode, stdout } = await callHearth(
      standIn,
      [
        'functions',
        'create',
        'hello',
        '--runtime',
        'nodejs22.x',
        '--handler',
        'index.handler',
        '--dir',
        '.',
        '--timeout',
        '5',
        '--memory',
        '256',
        '--env',
        'A=1',
        '--env',
        'B=x=y',
        '--json',
      ],
      { workingDirectory },
    );
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual(CONFIGURATION);
    const { Code, ...sent } = JSON.parse(standIn.requests[0]?.body ?? '');
    expect(Buffer.from(Code.ZipFile, 'base64').toString('latin1', 0, 4)).toBe('PK\u0003\u0004');
    expect(sent).toEqual({
      FunctionName: 'hello',
      Runtime: 'nodejs22.x',
      Handler: 'index.handler',
      Role: 'arn:aws:iam::000000000000:role/hearth',
      Timeout: 5,
      MemorySize: 256,
      Environment: { Variables: { A: '1', B: 'x=y' } },
    });
    expect(standIn.requests).toHaveLength(4);
  });

  test('create --hot-reload names the folder by its absolute path', async () => {
    const standIn = await startStandInApi((_request, response) =>
      sendJson(response, 200, CONFIGURATION),
    );
    const workingDirectory = makeFolder();
    const base = ['functions', 'create', 'f', '--runtime', 'python3.12', '--handler', 'a.b'];
    await callHearth(standIn, [...base, '--hot-reload', 'src'], { workingDirectory });
    expect(JSON.parse(standIn.requests[0]?.body ?? '')).toMatchObject({
      Code: { S3Bucket: 'hot-reload', S3Key: expect.stringMatching(/^\/.*\/src$/) },
    });
  });

  test('create says why a function failed', async () => {
    const failed = { ...CONFIGURATION, State: 'Failed', StateReason: 'No interpreter' };
    const standIn = await startStandInApi((_request, response) => sendJson(response, 200, failed));
    const base = ['functions', 'create', 'hello', '--runtime', 'python3.12', '--handler', 'a.b'];
    const { exitCode, stderr } = await callHearth(standIn, [...base, '--hot-reload', '/x']);
    expect([exitCode, stderr]).toEqual([1, 'Function hello failed: No interpreter\n']);
  });

  test('update sends settings, waits, then sends code', async () => {
    const standIn = await startStandInApi((_request, response) =>
      sendJson(response, 200, CONFIGURATION),
    );
    const workingDirectory = makeFolder();
    writeFileSync(join(workingDirectory, 'code.zip'), 'PK');
    const { exitCode } = await callHearth(
      standIn,
      ['functions', 'update', 'hello', '--timeout', '9', '--zip', 'code.zip'],
      { workingDirectory },
    );
    expect(exitCode).toBe(0);
    const base = '/2015-03-31/functions/hello';
    expect(standIn.requests.map(({ method, target, body }) => [method, target, body])).toEqual([
      ['PUT', `${base}/configuration`, '{"Timeout":9}'],
      ['GET', `${base}/configuration`, ''],
      ['PUT', `${base}/code`, '{"ZipFile":"UEs="}'],
      ['GET', `${base}/configuration`, ''],
    ]);
  });

  test('delete deletes', async () => {
    const standIn = await startStandInApi((_request, response) => response.writeHead(204).end());
    const { exitCode } = await callHearth(standIn, ['functions', 'delete', 'hello']);
    expect(exitCode).toBe(0);
    expect(standIn.requests[0]).toMatchObject({
      method: 'DELETE',
      target: '/2015-03-31/functions/hello',
    });
  });
});
