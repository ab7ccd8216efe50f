import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  CreateFunctionCommand,
  GetFunctionCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { failureOf, HELLO, startApi, type ApiFixture } from '../lambda-api-fixture.ts';

let api: ApiFixture;
let client: LambdaClient;

beforeEach(async () => {
  api = await startApi();
  client = api.client();
});

afterEach(() => api[Symbol.asyncDispose]());

describe('hot-reload', () => {
  let directory: string;
  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'hearth-hot-'));
  });
  afterEach(() => rmSync(directory, { recursive: true }));

  test('runs a folder in place and does not tell it', async () => {
    symlinkSync(directory, `${directory}/self`);
    await api.createActive({ Code: { S3Bucket: 'hot-reload', S3Key: `${directory}/self` } });
    const version = [...api.registry.all()][0];
    expect(version?.code).toEqual({ kind: 'hot-reload', directory });
    const answer = await client.send(new GetFunctionCommand({ FunctionName: 'hello' }));
    expect(JSON.stringify(answer)).not.toContain(directory);
    expect(answer.Configuration).toMatchObject({ CodeSize: 0, State: 'Active' });
  });

  test.each(['relative', '/no/such/folder', '/etc/passwd', '/tmp/\0'])(
    'refuses %j',
    async (key) => {
      const failure = await failureOf(api.create({ Code: { S3Bucket: 'hot-reload', S3Key: key } }));
      expect(failure.name).toBe('InvalidParameterValueException');
      expect(failure.message).toContain('Cannot run code in place as S3Key must be');
    },
  );

  test('B19 refuses devices and what the kernel tells, also through links', async (context) => {
    context.skip(process.platform !== 'linux', 'needs Linux');
    symlinkSync('/proc', `${directory}/link`);
    for (const S3Key of ['/proc', '/proc/self', '/sys', '/dev', '/dev/shm', `${directory}/link`]) {
      expect(
        await failureOf(api.create({ Code: { S3Bucket: 'hot-reload', S3Key } })),
      ).toMatchObject({
        name: 'InvalidParameterValueException',
        message: `Cannot run code in place as S3Key must be a folder of files, not of the kernel: received "${S3Key}"`,
      });
    }
  });

  test('runs nothing outside of the folders that are allowed, also through links', async () => {
    await using limited = await startApi({ hotReloadRoots: [directory] });
    symlinkSync('/etc', `${directory}/link`);
    const send = (key: string): Promise<unknown> =>
      limited
        .client()
        .send(
          new CreateFunctionCommand({ ...HELLO, Code: { S3Bucket: 'hot-reload', S3Key: key } }),
        );
    expect((await failureOf(send(`${directory}/link`))).message).toContain(
      `must be below ${directory}`,
    );
    await expect(send(directory)).resolves.toBeDefined();
  });
});
