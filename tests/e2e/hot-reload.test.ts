import { mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { deploy, invoke } from '../support/function.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

describe('a folder that is run in place', () => {
  let server: TestServer;
  let folder: string;

  beforeAll(async () => {
    server = await startTestServer();
    folder = await realpath(await mkdtemp(join(tmpdir(), 'hearth-hot-')));
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  test('a change in it is served by the next environments, without an update', async () => {
    await writeFile(join(folder, 'index.js'), `exports.handler = async () => 'before';`);
    await deploy(server.client, 'hot', {}, { Code: { S3Bucket: 'hot-reload', S3Key: folder } });
    expect((await invoke(server.client, 'hot')).result).toBe('before');
    await writeFile(join(folder, 'index.js'), `exports.handler = async () => 'after';`);
    // The watcher tells after a quiet time; until then the old environment may still serve.
    await expect
      .poll(async () => (await invoke(server.client, 'hot')).result, { timeout: 10_000 })
      .toBe('after');
  });

  test('a folder outside the allowed ones is refused', async () => {
    await using limited = await startTestServer({ hotReloadRoots: [folder] });
    await expect(
      deploy(limited.client, 'hot', {}, { Code: { S3Bucket: 'hot-reload', S3Key: tmpdir() } }),
    ).rejects.toMatchObject({ name: 'InvalidParameterValueException' });
  });
});
