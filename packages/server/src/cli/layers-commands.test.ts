import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { callHearth, CONFIGURATION, makeFolder, sendJson, startStandInApi } from './cli-harness.ts';

const ARN = 'arn:aws:lambda:us-east-1:000000000000:layer:tools';
const VERSION = {
  LayerVersionArn: `${ARN}:2`,
  Version: 2,
  Description: 'Tools',
  CompatibleRuntimes: ['nodejs22.x', 'python3.12'],
  CreatedDate: '2026-01-01T00:00:00.000+0000',
};

const CALL =
  'layers publish tools --dir . --description Tools --license MIT --runtime nodejs22.x ' +
  '--runtime python3.12 --architecture arm64 --json';

describe('layers', () => {
  test('publish sends the folder and what it goes with', async () => {
    const standIn = await startStandInApi((_request, response) => sendJson(response, 201, VERSION));
    const workingDirectory = makeFolder();
    writeFileSync(join(workingDirectory, 'tool'), '#!/bin/sh');
    const { exitCode, stdout } = await callHearth(standIn, CALL.split(' '), { workingDirectory });
    expect(exitCode).toBe(0);
    expect(JSON.parse(stdout)).toEqual(VERSION);
    const [request] = standIn.requests;
    expect([request?.method, request?.target]).toEqual([
      'POST',
      '/2018-10-31/layers/tools/versions',
    ]);
    const { Content, ...sent } = JSON.parse(request?.body ?? '');
    expect(Buffer.from(Content.ZipFile, 'base64').toString('latin1', 0, 4)).toBe('PK\u0003\u0004');
    expect(sent).toEqual({
      Description: 'Tools',
      LicenseInfo: 'MIT',
      CompatibleRuntimes: ['nodejs22.x', 'python3.12'],
      CompatibleArchitectures: ['arm64'],
    });
  });

  test('publish names by ARN, sends no more than it was given and prints what it got', async () => {
    const standIn = await startStandInApi((_request, response) => sendJson(response, 201, VERSION));
    const workingDirectory = makeFolder();
    writeFileSync(join(workingDirectory, 'l.zip'), 'PK');
    const call = ['layers', 'publish', ARN, '--zip', 'l.zip'];
    const { stdout } = await callHearth(standIn, call, { workingDirectory });
    expect(stdout).toMatch(/^SETTING +VALUE\nLayerVersionArn +arn:.*:tools:2\n/);
    expect(standIn.requests[0]).toMatchObject({
      target: `/2018-10-31/layers/${encodeURIComponent(ARN)}/versions`,
      body: '{"Content":{"ZipFile":"UEs="}}',
    });
  });

  test.each([
    [[], 'Cannot publish tools as --zip or --dir must be given\n'],
    [
      ['--zip', 'a', '--dir', 'b'],
      'Cannot read code as only one of --zip and --dir may be given\n',
    ],
  ])('publish with %j is refused', async (given, message) => {
    const standIn = await startStandInApi((_request, response) => sendJson(response, 201, VERSION));
    const { exitCode, stderr } = await callHearth(standIn, [
      'layers',
      'publish',
      'tools',
      ...given,
    ]);
    expect([exitCode, stderr]).toEqual([2, message]);
    expect(standIn.requests).toEqual([]);
  });

  test('list goes through all pages and shows the latest version of each', async () => {
    const standIn = await startStandInApi((request, response) => {
      const isFirst = !request.target.includes('Marker=');
      const latest = { ...VERSION, LayerVersionArn: isFirst ? `${ARN}:2` : `${ARN}-b:7` };
      sendJson(response, 200, {
        Layers: [{ LayerName: 'any', LatestMatchingVersion: latest }],
        ...(isFirst ? { NextMarker: 'a/b=' } : {}),
      });
    });
    const { stdout } = await callHearth(standIn, ['layers', 'list']);
    expect(stdout).toMatch(
      /^ARN +RUNTIMES +DESCRIPTION +CREATED\n\S+:tools:2 +nodejs22\.x, python3\.12 +Tools +2026-01-01T00:00:00\n\S+:tools-b:7 /,
    );
    expect(standIn.requests.map(({ target }) => target)).toEqual([
      '/2018-10-31/layers',
      '/2018-10-31/layers?Marker=a%2Fb%3D',
    ]);
  });

  test('list of a name shows its versions, and --json what the API gives', async () => {
    const standIn = await startStandInApi((_request, response) =>
      sendJson(response, 200, { LayerVersions: [VERSION] }),
    );
    expect((await callHearth(standIn, ['layers', 'list', 'tools'])).stdout).toContain(`${ARN}:2`);
    const { stdout } = await callHearth(standIn, ['layers', 'list', 'tools', '--json']);
    expect(JSON.parse(stdout)).toEqual({ LayerVersions: [VERSION] });
    expect(standIn.requests[0]?.target).toBe('/2018-10-31/layers/tools/versions');
  });

  test('list of nothing says so beside the data', async () => {
    const standIn = await startStandInApi((_request, response) => sendJson(response, 200, {}));
    expect(await callHearth(standIn, ['layers', 'list'])).toEqual({
      exitCode: 0,
      stdout: '',
      stderr: 'No layers yet: see "hearth layers publish --help"\n',
    });
  });

  test('delete deletes one version, which must be a number', async () => {
    const standIn = await startStandInApi((_request, response) => response.writeHead(204).end());
    const deleted = await callHearth(standIn, ['layers', 'delete', 'tools', '2']);
    expect([deleted.exitCode, deleted.stderr]).toEqual([0, 'Deleted version 2 of tools\n']);
    expect(standIn.requests.map(({ method, target }) => [method, target])).toEqual([
      ['DELETE', '/2018-10-31/layers/tools/versions/2'],
    ]);
    const refused = await callHearth(standIn, ['layers', 'delete', 'tools', 'latest']);
    expect([refused.exitCode, refused.stderr]).toEqual([
      2,
      'Cannot delete a version of tools as it must be a number: received "latest"\n',
    ]);
  });
});

describe('functions', () => {
  test.each([
    [`${ARN}:2, ${ARN}-b:7`, [`${ARN}:2`, `${ARN}-b:7`]],
    ['', []],
  ])('update --layers %j sends the list', async (given, Layers) => {
    const standIn = await startStandInApi((_request, response) =>
      sendJson(response, 200, CONFIGURATION),
    );
    await callHearth(standIn, ['functions', 'update', 'hello', '--layers', given]);
    expect(JSON.parse(standIn.requests[0]?.body ?? '')).toEqual({ Layers });
  });
});
