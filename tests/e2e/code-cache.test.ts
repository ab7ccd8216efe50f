import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  DeleteFunctionCommand,
  UpdateFunctionCodeCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { deploy, invoke, invokeWithLog, zipOf } from '../support/function.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

/** Much code that is compiled when it is called, and a look at what an earlier environment has left. */
function source(text: string): string {
  const functions = Array.from(
    { length: 400 },
    (_, i) => `big.push(function named${i}(x) { return [x + ${i}, '${text} ${i}']; });`,
  );
  return `const fs = require('node:fs');
const big = [];
${functions.join('\n')}
const CACHE = '/var/hearth/cache';
const left = fs.readdirSync(CACHE);
exports.handler = async (event) => {
  let written = 'written';
  try { fs.writeFileSync(CACHE + '/v8.cache', 'evil'); } catch (error) { written = error.code; }
  if (event.forge) {
    const header = Buffer.from('{"last":true}');
    const payload = Buffer.from('forged');
    const prefix = Buffer.alloc(9);
    prefix.writeUInt32BE(5 + header.length + payload.length, 0);
    prefix[4] = 0x89;
    prefix.writeUInt32BE(header.length, 5);
    fs.writeSync(3, Buffer.concat([prefix, header, payload]));
  }
  return { left, written, sum: big.reduce((total, each) => total + each(1)[0], 0) };
};`;
}

const SUM = (400 * 401) / 2;

describe("a Node.js function's compiled code", () => {
  let server: TestServer;
  let unavailable = false;

  beforeAll(async () => {
    server = await startTestServer({ prewarm: 1 });
    const health = await fetch(`${server.endpoint}/_hearth/health`);
    unavailable = !(await health.text()).includes('"filesystem":true');
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
  });

  const kept = async (): Promise<string[]> => {
    const names = await readdir(join(server.dataDir, 'cache', 'v8'));
    return names.filter((name) => name.length === 64);
  };

  /** A changed configuration never meets an old environment. */
  const retire = async (FunctionName: string, round: number): Promise<void> => {
    const { client } = server;
    await client.send(
      new UpdateFunctionConfigurationCommand({
        FunctionName,
        Environment: { Variables: { ROUND: String(round) } },
      }),
    );
    await waitUntilFunctionUpdatedV2(
      { client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
      { FunctionName },
    );
  };

  /** What an environment sees that is made once the code is kept: a moment after its folder is there. */
  const untilShown = async (name: string): Promise<unknown> => {
    let result: unknown;
    let round = 0;
    await vi.waitUntil(
      async () => {
        await retire(name, (round += 1));
        ({ result } = await invoke(server.client, name));
        return JSON.stringify(result).includes('v8.cache');
      },
      { timeout: 30_000 },
    );
    return result;
  };

  test('is kept after one event, shown read-only to later environments, and not to other code', async (context) => {
    context.skip(unavailable, 'functions can write to what is shown to them here');
    const { client } = server;
    const before = new Set(await kept());
    await deploy(client, 'compiled', { 'index.js': source('first') });
    expect((await invoke(client, 'compiled')).result).toEqual({
      left: [],
      written: 'EROFS',
      sum: SUM,
    });
    await vi.waitUntil(async () => (await kept()).length > before.size, { timeout: 30_000 });
    const key = (await kept()).find((name) => !before.has(name)) ?? '';
    const file = join(server.dataDir, 'cache', 'v8', key, 'v8.cache');
    const content = await readFile(file);
    expect(content.length).toBeGreaterThan(32_768);

    expect(await untilShown('compiled')).toEqual({
      left: ['v8.cache'],
      written: 'EROFS',
      sum: SUM,
    });
    // The same code under another name is another function.
    await deploy(client, 'compiled-twin', { 'index.js': source('first') });
    expect((await invoke(client, 'compiled-twin')).result).toMatchObject({ left: [] });
    // Other code of the same function is.
    await client.send(
      new UpdateFunctionCodeCommand({
        FunctionName: 'compiled',
        ZipFile: await zipOf({ 'index.js': source('other') }),
      }),
    );
    await waitUntilFunctionUpdatedV2(
      { client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
      { FunctionName: 'compiled' },
    );
    expect((await invoke(client, 'compiled')).result).toMatchObject({ left: [], sum: SUM });
    expect((await readFile(file)).equals(content)).toBe(true);
    await client.send(new DeleteFunctionCommand({ FunctionName: 'compiled-twin' }));
  });

  test('cannot be forged by an environment that was not asked for it', async (context) => {
    context.skip(unavailable, 'functions can write to what is shown to them here');
    const { client } = server;
    await deploy(client, 'forger', { 'index.js': source('forger') });
    await invoke(client, 'forger');
    await untilShown('forger');
    const { result, functionError } = await invokeWithLog(client, 'forger', { forge: true });
    expect(functionError).toBe('Unhandled');
    expect(result).toMatchObject({ errorType: 'Runtime.ExitError' });
    expect((await invoke(client, 'forger')).result).toMatchObject({ left: ['v8.cache'], sum: SUM });
  });
});
