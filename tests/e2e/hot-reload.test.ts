import {
  chmod,
  mkdir,
  mkdtemp,
  realpath,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { deploy, invoke } from '../support/function.ts';
import { findPython } from '../support/python.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = await findPython();

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

  test('files that only their owner may read are served, and stay as they are', async () => {
    const closed = await createFolder(join(folder, 'closed'), 'require("./secret.json").text');
    await writeFile(join(closed, 'secret.json'), '{"text": "for the owner only"}');
    await chmod(join(closed, 'secret.json'), 0o600);
    await chmod(join(closed, 'index.js'), 0o600);
    await chmod(closed, 0o700);
    await deployFolder(server.client, 'closed', closed);
    expect((await invoke(server.client, 'closed')).result).toBe('for the owner only');
    expect((await stat(closed)).mode & 0o777).toBe(0o700);
    expect((await stat(join(closed, 'index.js'))).mode & 0o777).toBe(0o600);
  });

  test('Python reads them, too', async (context) => {
    context.skip(python === undefined, 'there is no Python');
    const closed = join(folder, 'python');
    await mkdir(closed, { mode: 0o700 });
    await writeFile(join(closed, 'app.py'), 'def handler(event, context): return "snake"', {
      mode: 0o600,
    });
    const settings = { Runtime: 'python3.13', Handler: 'app.handler' } as const;
    await deployFolder(server.client, 'python', closed, settings);
    expect((await invoke(server.client, 'python')).result).toBe('snake');
  });

  test('a folder that is deleted and made again is served as it is then', async () => {
    const built = await createFolder(join(folder, 'built'), '"first build"');
    await deployFolder(server.client, 'built', built);
    const result = async () => (await invoke(server.client, 'built')).result;
    expect(await result()).toBe('first build');
    await rm(built, { recursive: true });
    await createFolder(built, '"second build"');
    await expect.poll(result, { timeout: 10_000 }).toBe('second build');
    await rename(built, `${built}-old`);
    await createFolder(built, '"third build"');
    await expect.poll(result, { timeout: 10_000 }).toBe('third build');
  });

  test.each(['gone', 'link'])('a folder that is %s says so to the caller', async (becomes) => {
    const before = await createFolder(join(folder, becomes), '1');
    await deployFolder(server.client, becomes, before);
    await rename(before, `${before}-moved`);
    if (becomes === 'link') await symlink(`${before}-moved`, before);
    await expect(invoke(server.client, becomes)).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: `Cannot run ${becomes} in place as its folder must be there, and not by a symbolic link: ${before}`,
    });
  });

  test("the server's own folder is refused, to the caller and in the operator's log", async (context) => {
    const health: unknown = await (await fetch(`${server.endpoint}/_hearth/health`)).json();
    const isolated = JSON.stringify(health).includes('"driver":"namespace"');
    context.skip(!isolated, 'the driver process keeps nothing from functions');
    const stderr = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    onTestFinished(() => stderr.mockRestore());
    await deployFolder(server.client, 'own', join(server.dataDir, 'code'));
    const message =
      `Cannot run code in place as it must be apart from the server's own folder ${server.dataDir}: ` +
      join(server.dataDir, 'code');
    await expect(invoke(server.client, 'own')).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message,
    });
    expect(stderr.mock.calls.map(([line]) => String(line)).join('')).toContain(message);
  });

  test('a folder outside the allowed ones is refused', async () => {
    await using limited = await startTestServer({ hotReloadRoots: [folder] });
    await expect(
      deploy(limited.client, 'hot', {}, { Code: { S3Bucket: 'hot-reload', S3Key: tmpdir() } }),
    ).rejects.toMatchObject({ name: 'InvalidParameterValueException' });
  });
});

/** A folder with a handler that answers with a JavaScript expression. */
async function createFolder(path: string, expression: string): Promise<string> {
  await mkdir(path);
  await writeFile(join(path, 'index.js'), `exports.handler = async () => ${expression};`);
  return path;
}

function deployFolder(
  client: LambdaClient,
  name: string,
  path: string,
  settings: Parameters<typeof deploy>[3] = {},
): Promise<void> {
  const Code = { S3Bucket: 'hot-reload', S3Key: path };
  return deploy(client, name, {}, { Code, ...settings });
}
