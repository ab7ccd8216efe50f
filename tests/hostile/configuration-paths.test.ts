import { mkdir, mkdtemp, readdir, realpath, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  InvokeCommand,
  ListFunctionsCommand,
  PublishLayerVersionCommand,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { failureOf } from '../../packages/server/src/api/lambda-api-fixture.ts';
import { startTestServer } from '../support/server.ts';
import { deploy, invoke, zipOf } from '../support/function.ts';
import { HostileServer } from '../support/hostile-server.ts';

const CODE = { 'index.js': `exports.handler = async () => 'fine';` };

describe('B. Configuration, and the paths of the host', () => {
  let hostile: HostileServer;
  let folder: string;
  beforeAll(async () => {
    hostile = await HostileServer.open();
    folder = await realpath(await mkdtemp(join(tmpdir(), 'hearth-paths-')));
  });
  afterAll(async () => {
    await hostile[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  const create = async (
    name: string,
    settings: Partial<CreateFunctionCommandInput>,
  ): Promise<unknown> =>
    hostile.client.send(
      new CreateFunctionCommand({
        FunctionName: name,
        Role: 'arn:aws:iam::000000000000:role/test',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Code: { ZipFile: await zipOf(CODE) },
        ...settings,
      }),
    );

  test('B19 no key of hot-reload leads to what a function must not see', async () => {
    await mkdir(join(folder, 'code'));
    await writeFile(join(folder, 'code', 'index.js'), CODE['index.js']);
    await symlink(hostile.dataDir, join(folder, 'data'));
    await symlink('/', join(folder, 'root'));
    await symlink('/proc', join(folder, 'proc'));
    const keys = [
      '/',
      '//',
      '/..',
      'relative',
      '../../etc',
      '/dev/null',
      '/etc/passwd',
      `${folder}/code/index.js`,
      `${folder}/absent`,
      `${folder}/root`,
      `${folder}/code/\0/x`,
      '/proc',
      '/proc/self/root',
      '/proc/self/fd',
      `${folder}/proc`,
      '/sys',
      '/dev',
      '/sys/fs/cgroup',
      hostile.dataDir,
      `${hostile.dataDir}/code`,
      `${folder}/data`,
      `${folder}/../..${hostile.dataDir}`,
    ];
    for (const [index, key] of keys.entries()) {
      const name = `hot-${index}`;
      const Code = { S3Bucket: 'hot-reload', S3Key: key };
      // What can be told at once is refused at once, the rest when it is to run.
      const created = create(name, { Code }).then(() => invoke(hostile.client, name));
      expect([key, await failureOf(created)]).toEqual([
        key,
        {
          name: 'InvalidParameterValueException',
          status: 400,
          message: expect.stringContaining('Cannot run code in place as '),
        },
      ]);
    }
    await hostile.besideNeighbour(Promise.resolve());
  });

  test('B19 with roots, nothing beside them runs, by dots and links neither', async () => {
    const roots = join(folder, 'roots');
    await mkdir(join(roots, 'inside'), { recursive: true });
    await mkdir(join(folder, 'roots-too'));
    await writeFile(join(roots, 'inside', 'index.js'), CODE['index.js']);
    await symlink(join(folder, 'roots-too'), join(roots, 'link'));
    await using server = await startTestServer({ hotReloadRoots: [roots] });
    const deployFolder = (name: string, S3Key: string): Promise<void> =>
      deploy(server.client, name, {}, { Code: { S3Bucket: 'hot-reload', S3Key } });
    await deployFolder('inside', join(roots, 'inside'));
    expect((await invoke(server.client, 'inside')).result).toBe('fine');
    for (const key of [
      folder,
      join(folder, 'roots-too'),
      `${roots}/../roots-too`,
      join(roots, 'link'),
      '/etc',
      server.dataDir,
    ]) {
      expect(await failureOf(deployFolder('outside', key))).toMatchObject({
        name: 'InvalidParameterValueException',
        status: 400,
        message: `Cannot run code in place as S3Key must be below ${roots}: received ${key}`,
      });
    }
  });

  test.for<[string, Partial<CreateFunctionCommandInput>]>([
    ['a handler with NUL', { Handler: 'index\0.handler' }],
    ['a handler with a line break', { Handler: 'index.handler\nx' }],
    ['a log group with NUL', { LoggingConfig: { LogGroup: '/x\0y' } }],
    ['a log group with a space', { LoggingConfig: { LogGroup: '../../a b' } }],
    ['a layer that is a path', { Layers: ['/etc'] }],
    ['a layer that climbs', { Layers: ['arn:aws:lambda:us-east-1:000000000000:layer:../../x:1'] }],
    ['a role that is a path', { Role: '/root' }],
    ['a runtime that is a path', { Runtime: '../../bin/sh' as 'nodejs24.x' }],
    [
      'a file system',
      {
        FileSystemConfigs: [
          {
            Arn: 'arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/fsap-12345678901234567',
            LocalMountPath: '/mnt/etc',
          },
        ],
      },
    ],
    ['an image', { PackageType: 'Image', Code: { ImageUri: '/bin/sh' } }],
    [
      'a network',
      { VpcConfig: { SubnetIds: ['subnet-12345678'], SecurityGroupIds: ['sg-12345678'] } },
    ],
    ['a negative /tmp', { EphemeralStorage: { Size: -1 } }],
    ['a /tmp of terabytes', { EphemeralStorage: { Size: 10_241 } }],
    ['memory of terabytes', { MemorySize: 10_000_000 }],
    ['a timeout of days', { Timeout: 100_000 }],
  ])('B19 %s is refused', async ([_what, settings]) => {
    const failure = await failureOf(create('refused', settings));
    expect(failure.status).toBe(400);
    expect(failure.name).toMatch(/^(InvalidParameterValueException|ValidationException)$/);
    const { Functions = [] } = await hostile.client.send(new ListFunctionsCommand({}));
    expect(Functions.map(({ FunctionName }) => FunctionName)).not.toContain('refused');
  });

  test('B19 names that climb stay names', async () => {
    const groups = ['../../../escaped', '/aws/lambda/../../../escaped', '..', '.', '/', '#/../x'];
    for (const [index, LogGroup] of groups.entries()) {
      const name = `group-${index}`;
      await deploy(hostile.client, name, CODE, { LoggingConfig: { LogGroup } });
      expect((await hostile.besideNeighbour(invoke(hostile.client, name))).result).toBe('fine');
      const url = new URL('/_hearth/logs', hostile.endpoint);
      url.searchParams.set('group', LogGroup);
      const { events } = (await (await fetch(url)).json()) as { events: { message: string }[] };
      expect(events.some(({ message }) => message.startsWith('REPORT '))).toBe(true);
    }
    // Each group is one folder of the log's own.
    const logs = await readdir(join(hostile.dataDir, 'logs'));
    expect(logs.length).toBeGreaterThanOrEqual(groups.length);
    for (const name of logs) expect(name).toMatch(/^[a-zA-Z0-9-]+-[0-9a-f]{32}$|^-[0-9a-f]{32}$/);
    for (const way of ['.', '..', '../..', '../../..']) {
      const names = await readdir(join(hostile.dataDir, way));
      expect(names.filter((name) => name.includes('escaped'))).toEqual([]);
    }
  });

  test('B19 a description, a tag or an event with a command runs none', async () => {
    const command = `$(touch ${folder}/ran) ; touch ${folder}/ran | \`touch ${folder}/ran\``;
    await deploy(hostile.client, 'command', CODE, {
      Description: command.slice(0, 256),
      Environment: { Variables: { COMMAND: command, PATH: '/tmp:/usr/bin' } },
    });
    expect((await invoke(hostile.client, 'command', { command })).result).toBe('fine');
    await hostile.client.send(
      new InvokeCommand({
        FunctionName: 'command',
        ClientContext: Buffer.from(JSON.stringify({ custom: { command } })).toString('base64'),
      }),
    );
    await hostile.client.send(
      new UpdateFunctionConfigurationCommand({
        FunctionName: 'command',
        Description: command.slice(0, 200),
      }),
    );
    expect(await readdir(folder)).not.toContain('ran');
  });

  test('B19 names of layers and their archives reach nothing beside /opt', async () => {
    for (const LayerName of ['../../etc', '/etc', '..', 'a/b', 'a\0b', '$(id)']) {
      const publish = new PublishLayerVersionCommand({
        LayerName,
        Content: { ZipFile: await zipOf({ 'a.txt': 'a' }) },
      });
      expect([LayerName, (await failureOf(hostile.client.send(publish))).status]).toEqual([
        LayerName,
        400,
      ]);
    }
    for (const Content of [
      { S3Bucket: 'hot-reload', S3Key: '/etc' },
      { S3Bucket: 'hot-reload', S3Key: folder },
    ]) {
      const publish = new PublishLayerVersionCommand({ LayerName: 'host', Content });
      expect((await failureOf(hostile.client.send(publish))).status).toBe(400);
    }
  });
});
