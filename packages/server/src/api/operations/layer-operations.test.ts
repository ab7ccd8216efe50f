import {
  DeleteLayerVersionCommand,
  GetLayerVersionByArnCommand,
  GetLayerVersionCommand,
  ListLayersCommand,
  ListLayerVersionsCommand,
  paginateListLayers,
  paginateListLayerVersions,
  PublishLayerVersionCommand,
  type LambdaClient,
  type PublishLayerVersionCommandOutput,
} from '@aws-sdk/client-lambda';
import { createHash } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, startApi, type ApiFixture } from '../lambda-api-fixture.ts';

const ARN = 'arn:aws:lambda:us-east-1:000000000000:layer:tools';
const NOT_FOUND = {
  name: 'ResourceNotFoundException',
  status: 404,
  message: 'The resource you requested does not exist.',
};

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

/** `input`, which may be wrong, goes on top of one that is right. */
function publish(input: object = {}): Promise<PublishLayerVersionCommandOutput> {
  const content = { ZipFile: Buffer.from('zip') };
  return client.send(
    new PublishLayerVersionCommand({ LayerName: 'tools', Content: content, ...input }),
  );
}

const get = (LayerName: string, VersionNumber: number) =>
  client.send(new GetLayerVersionCommand({ LayerName, VersionNumber }));
const getByArn = (Arn: string) => client.send(new GetLayerVersionByArnCommand({ Arn }));
const remove = (LayerName: string, VersionNumber: number) =>
  client.send(new DeleteLayerVersionCommand({ LayerName, VersionNumber }));

const list = async (input: object = {}) =>
  (await client.send(new ListLayerVersionsCommand({ LayerName: 'tools', ...input }))).LayerVersions;
const versions = async (input: object) => (await list(input))?.map(({ Version }) => Version);

describe('PublishLayerVersion', () => {
  test('answers 201 with the version, its content and everything that was given', async () => {
    const { $metadata, ...answer } = await publish({
      Description: 'Tools for all',
      LicenseInfo: 'MIT',
      CompatibleRuntimes: ['nodejs22.x', 'python3.12'],
      CompatibleArchitectures: ['x86_64', 'arm64'],
    });
    const sha256 = createHash('sha256').update('zip').digest('base64');
    expect($metadata.httpStatusCode).toBe(201);
    expect(answer).toEqual({
      LayerArn: ARN,
      LayerVersionArn: `${ARN}:1`,
      Version: 1,
      Description: 'Tools for all',
      LicenseInfo: 'MIT',
      CompatibleRuntimes: ['nodejs22.x', 'python3.12'],
      CompatibleArchitectures: ['x86_64', 'arm64'],
      CreatedDate: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/),
      Content: {
        CodeSha256: sha256,
        CodeSize: 3,
        Location: expect.stringMatching(
          `^${api.url}/_hearth/layers/000000000000/us-east-1/tools/1\\?`,
        ),
      },
    });
  });

  test('leaves out what was not given, but for the description', async () => {
    const { $metadata: _metadata, ...answer } = await publish();
    expect(answer.Description).toBe('');
    expect(Object.keys(answer).sort()).toEqual([
      'Content',
      'CreatedDate',
      'Description',
      'LayerArn',
      'LayerVersionArn',
      'Version',
    ]);
  });

  test('a layer may be named by its ARN; numbers go up and are not used again', async () => {
    expect((await publish()).Version).toBe(1);
    expect((await publish({ LayerName: ARN })).Version).toBe(2);
    await remove('tools', 2);
    expect((await publish()).Version).toBe(3);
    await Promise.all([remove('tools', 1), remove('tools', 3)]);
    expect((await publish()).Version).toBe(4);
    expect((await publish({ LayerName: 'other' })).Version).toBe(1);
  });

  test('a refused archive gives no version and no number away', async () => {
    expect(await failureOf(publish({ Content: { ZipFile: Buffer.from('bad') } }))).toEqual({
      name: 'InvalidParameterValueException',
      status: 400,
      message: 'Could not unzip uploaded file.',
    });
    expect((await publish()).Version).toBe(1);
  });

  test.each<[string, object, string]>([
    ['no content', {}, 'Please provide a source for layer content.'],
    [
      'an object of S3',
      { S3Bucket: 'bucket', S3Key: 'key' },
      'Cannot read a layer from bucket bucket as this server has no S3 yet: send ZipFile',
    ],
    [
      'two contents',
      { ZipFile: Buffer.from('zip'), S3Bucket: 'bucket', S3Key: 'key' },
      'Please do not provide other Content parameters when providing a ZipFile.',
    ],
    [
      'the version of an object',
      { ZipFile: Buffer.from('zip'), S3ObjectVersion: '1' },
      'Cannot set Content.S3ObjectVersion as this server does not support it yet: leave it out',
    ],
  ])('%s is refused', async (_case, Content, message) => {
    expect(await failureOf(publish({ Content }))).toEqual({
      name: 'InvalidParameterValueException',
      status: 400,
      message,
    });
  });

  test.each<[string, object, RegExp]>([
    [
      'a runtime that nobody knows',
      { CompatibleRuntimes: ['nodejs22.x', 'cobol'] },
      /^1 validation error detected: Value '\[nodejs22\.x, cobol\]' at 'compatibleRuntimes' failed to satisfy constraint: Member must satisfy enum value set: \[nodejs, .*\]$/,
    ],
    [
      'an architecture that nobody knows',
      { CompatibleArchitectures: ['mips'] },
      /^1 validation error detected: Value '\[mips\]' at 'compatibleArchitectures' failed to satisfy constraint: Member must satisfy constraint: \[Member must satisfy enum value set: \[x86_64, arm64\], Member must not be null\]$/,
    ],
    ['a name that is none', { LayerName: 'a b' }, /at 'layerName' failed to satisfy constraint/],
    ['a long licence', { LicenseInfo: 'x'.repeat(513) }, /at 'licenseInfo' failed/],
    ['a long description', { Description: 'x'.repeat(257) }, /at 'description' failed/],
  ])('%s is a ValidationException', async (_case, input, message) => {
    expect(await failureOf(publish(input))).toEqual({
      name: 'ValidationException',
      status: 400,
      message: expect.stringMatching(message),
    });
    expect([...api.layers.all()]).toEqual([]);
  });

  test('runtimes of this server that the API model does not know yet will do', async () => {
    const { CompatibleRuntimes } = await publish({
      CompatibleRuntimes: ['python3.15'],
    });
    expect(CompatibleRuntimes).toEqual(['python3.15']);
  });
});

describe('GetLayerVersion', () => {
  test('answers what publishing it did, by name, by ARN of the layer and by its own', async () => {
    const { $metadata: _metadata, ...published } = await publish({ LicenseInfo: 'MIT' });
    for (const answer of [await get('tools', 1), await get(ARN, 1), await getByArn(`${ARN}:1`)]) {
      expect(answer).toMatchObject({ ...published, $metadata: { httpStatusCode: 200 } });
    }
  });

  test('its location gives the archive, until the version is deleted', async () => {
    await publish();
    const { Content } = await get('tools', 1);
    const archive = await fetch(Content?.Location ?? '');
    expect(archive.headers.get('content-type')).toBe('application/zip');
    expect(await archive.text()).toBe('zip');
    await remove('tools', 1);
    expect((await fetch(Content?.Location ?? '')).status).toBe(404);
    expect((await fetch(`${api.url}/_hearth/layers/..%2f..%2f/x/y/z`)).status).toBe(404);
  });

  test.each<[string, () => Promise<unknown>]>([
    ['a layer', () => get('unknown', 1)],
    ['a version', () => get('tools', 2)],
    ['a version by ARN', () => getByArn(`${ARN}:2`)],
    ['a layer of another region', () => get(ARN.replace('us-east-1', 'eu-west-1'), 1)],
    ['a layer of AWS itself', () => getByArn('arn:aws:lambda:::awslayer:AmazonLinux1803')],
  ])('%s that is not there is 404', async (_case, call) => {
    await publish();
    expect(await failureOf(call())).toEqual(NOT_FOUND);
  });

  test('a number below 1 is refused', async () => {
    expect(await failureOf(get('tools', 0))).toEqual({
      name: 'InvalidParameterValueException',
      status: 400,
      message: 'Layer Version Cannot be less than 1',
    });
  });

  test('an ARN without a version is a ValidationException', async () => {
    expect(await failureOf(getByArn(ARN))).toMatchObject({
      name: 'ValidationException',
      message: expect.stringContaining(`Value '${ARN}' at 'arn' failed to satisfy constraint`),
    });
  });
});

describe('B20 another account', () => {
  const THEIRS = 'arn:aws:lambda:us-east-1:111122223333:layer:tools';

  test.each<[string, string, string, () => Promise<unknown>]>([
    ['read', 'GetLayerVersion', `${THEIRS}:1`, () => get(THEIRS, 1)],
    ['read by ARN', 'GetLayerVersion', `${THEIRS}:1`, () => getByArn(`${THEIRS}:1`)],
    ['deleted', 'DeleteLayerVersion', `${THEIRS}:1`, () => remove(THEIRS, 1)],
    ['published', 'PublishLayerVersion', THEIRS, () => publish({ LayerName: THEIRS })],
    [
      'listed',
      'ListLayerVersions',
      THEIRS,
      () => client.send(new ListLayerVersionsCommand({ LayerName: THEIRS })),
    ],
  ])('has layers that cannot be %s, be they there or not', async (_case, action, arn, call) => {
    expect(await failureOf(call())).toEqual({
      name: 'AccessDeniedException',
      status: 403,
      message:
        `User: arn:aws:iam::000000000000:root is not authorized to perform: lambda:${action} on resource: ` +
        `${arn} because no resource-based policy allows the lambda:${action} action`,
    });
  });

  test('and another region see none of them', async () => {
    await publish();
    for (const other of [api.client('111122223333'), api.client(undefined, 'eu-west-1')]) {
      expect((await other.send(new ListLayersCommand({}))).Layers).toEqual([]);
    }
  });
});

describe('ListLayerVersions', () => {
  test('has the latest first, without content', async () => {
    await publish({ Description: 'first', CompatibleRuntimes: ['nodejs22.x'] });
    await publish({ Description: 'second', LicenseInfo: 'MIT' });
    const CreatedDate = expect.any(String);
    expect(await list()).toEqual([
      {
        LayerVersionArn: `${ARN}:2`,
        Version: 2,
        Description: 'second',
        LicenseInfo: 'MIT',
        CreatedDate,
      },
      {
        LayerVersionArn: `${ARN}:1`,
        Version: 1,
        Description: 'first',
        CompatibleRuntimes: ['nodejs22.x'],
        CreatedDate,
      },
    ]);
    expect(await list({ LayerName: ARN })).toHaveLength(2);
  });

  test('of a layer that is not there is empty', async () => {
    expect(await list()).toEqual([]);
  });

  test('has those that are said to go with a runtime and an architecture', async () => {
    await publish({ CompatibleRuntimes: ['nodejs22.x', 'python3.12'] });
    await publish({ CompatibleRuntimes: ['nodejs22.x'], CompatibleArchitectures: ['arm64'] });
    await publish();
    expect(await versions({ CompatibleRuntime: 'nodejs22.x' })).toEqual([2, 1]);
    expect(await versions({ CompatibleRuntime: 'python3.12' })).toEqual([1]);
    expect(await versions({ CompatibleArchitecture: 'arm64' })).toEqual([2]);
    expect(
      await versions({ CompatibleRuntime: 'python3.12', CompatibleArchitecture: 'arm64' }),
    ).toEqual([]);
  });

  test('is paged; what is published or deleted in between neither repeats nor hides others', async () => {
    for (let count = 0; count < 5; count += 1) await publish();
    const seen: (number | undefined)[] = [];
    for await (const page of paginateListLayerVersions(
      { client, pageSize: 2 },
      { LayerName: 'tools' },
    )) {
      seen.push(...(page.LayerVersions ?? []).map(({ Version }) => Version));
      if (seen.length === 2) {
        await publish();
        await remove('tools', 4);
      }
    }
    expect(seen).toEqual([5, 4, 3, 2, 1]);
  });

  test('a marker of nobody and a runtime that nobody knows are refused', async () => {
    expect(await failureOf(list({ Marker: 'nonsense' }))).toMatchObject({ status: 400 });
    expect(await failureOf(list({ CompatibleRuntime: 'cobol' }))).toMatchObject({
      name: 'ValidationException',
      message: expect.stringContaining("Value 'cobol' at 'compatibleRuntime' failed"),
    });
    expect(await failureOf(list({ MaxItems: 51 }))).toMatchObject({ name: 'ValidationException' });
  });
});

describe('ListLayers', () => {
  test('has each layer with its latest version, by name', async () => {
    await publish();
    await publish({ Description: 'latest' });
    await publish({ LayerName: 'Another' });
    const { Layers, NextMarker } = await client.send(new ListLayersCommand({}));
    expect(NextMarker).toBeUndefined();
    expect(Layers).toMatchObject([
      { LayerName: 'Another', LatestMatchingVersion: { Version: 1 } },
      {
        LayerName: 'tools',
        LayerArn: ARN,
        LatestMatchingVersion: {
          LayerVersionArn: `${ARN}:2`,
          Version: 2,
          Description: 'latest',
          CreatedDate: expect.any(String),
        },
      },
    ]);
  });

  test('with a runtime has the latest version that matches, and no other layers', async () => {
    await publish({ CompatibleRuntimes: ['python3.12'] });
    await publish({ CompatibleRuntimes: ['nodejs22.x'] });
    await publish({ LayerName: 'other', CompatibleRuntimes: ['nodejs22.x'] });
    const command = new ListLayersCommand({ CompatibleRuntime: 'python3.12' });
    const { Layers } = await client.send(command);
    expect(Layers).toMatchObject([{ LayerName: 'tools', LatestMatchingVersion: { Version: 1 } }]);
    expect(Layers).toHaveLength(1);
  });

  test('is paged by name', async () => {
    const names = ['a', 'b', 'c', 'd', 'e'];
    for (const LayerName of names) await publish({ LayerName });
    const seen: (string | undefined)[] = [];
    for await (const page of paginateListLayers({ client, pageSize: 2 }, {})) {
      seen.push(...(page.Layers ?? []).map(({ LayerName }) => LayerName));
    }
    expect(seen).toEqual(names);
  });
});

describe('DeleteLayerVersion', () => {
  test('answers 204, also where there is nothing to delete', async () => {
    await publish();
    expect((await remove('tools', 1)).$metadata.httpStatusCode).toBe(204);
    expect((await remove('tools', 1)).$metadata.httpStatusCode).toBe(204);
    expect((await remove('unknown', 7)).$metadata.httpStatusCode).toBe(204);
    expect(await failureOf(get('tools', 1))).toEqual(NOT_FOUND);
    expect((await client.send(new ListLayersCommand({}))).Layers).toEqual([]);
  });

  test('a number below 1 is refused', async () => {
    expect(await failureOf(remove('tools', 0))).toMatchObject({
      name: 'InvalidParameterValueException',
      message: 'Layer Version Cannot be less than 1',
    });
  });
});
