import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startTestServer, type TestServer } from '../support/server.ts';

const CLI = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));

describe('the command line against a server', () => {
  let server: TestServer;
  let folder: string;

  async function hearth(...args: string[]): Promise<{ code: number; out: string; err: string }> {
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { ...process.env, HEARTH_ENDPOINT: server.endpoint },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const exit = once(child, 'exit') as Promise<[number]>;
    const [out, err, [code]] = await Promise.all([text(child.stdout), text(child.stderr), exit]);
    return { code, out, err };
  }

  beforeAll(async () => {
    server = await startTestServer();
    folder = await mkdtemp(join(tmpdir(), 'hearth-cli-'));
    await writeFile(
      join(folder, 'index.js'),
      `exports.handler = async (event) => {
        console.log('seen', event.name);
        if (event.fail) throw new Error('asked to');
        return { hello: event.name };
      };`,
    );
    await hearth(
      'functions',
      'create',
      'greet',
      '--runtime',
      'nodejs24.x',
      '--handler',
      'index.handler',
      '--dir',
      folder,
    );
  });

  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await rm(folder, { recursive: true });
  });

  test('functions list shows what was created', async () => {
    const { code, out } = await hearth('functions', 'list', '--json');
    expect(code).toBe(0);
    expect(JSON.parse(out)).toMatchObject({
      Functions: [{ FunctionName: 'greet', Runtime: 'nodejs24.x' }],
    });
  });

  test('invoke prints the payload on stdout and REPORT on stderr', async () => {
    const { code, out, err } = await hearth('invoke', 'greet', '-e', '{"name":"cli"}');
    expect(code).toBe(0);
    expect(out.trim()).toBe('{"hello":"cli"}');
    expect(err).toMatch(/^REPORT RequestId: /m);
  });

  test('invoke exits with 1 on a function error', async () => {
    const { code, out } = await hearth('invoke', 'greet', '-e', '{"fail":true}');
    expect(code).toBe(1);
    expect(out).toContain('"errorMessage":"asked to"');
  });

  test('logs shows what the function printed', async () => {
    await hearth('invoke', 'greet', '-e', '{"name":"for-the-log"}');
    const { code, out } = await hearth('logs', 'greet');
    expect(code).toBe(0);
    expect(out).toContain('INFO\tseen for-the-log');
    expect(out).toContain('INIT_START Runtime Version: nodejs:');
  });

  test('update replaces code, get tells the new hash, delete removes the function', async () => {
    const before = JSON.parse((await hearth('functions', 'get', 'greet', '--json')).out) as object;
    const source = await readFile(join(folder, 'index.js'), 'utf8');
    await writeFile(join(folder, 'index.js'), source.replace('hello', 'hi'));
    expect((await hearth('functions', 'update', 'greet', '--dir', folder)).code).toBe(0);
    expect((await hearth('invoke', 'greet', '-e', '{"name":"new"}')).out.trim()).toBe(
      '{"hi":"new"}',
    );
    const after = JSON.parse((await hearth('functions', 'get', 'greet', '--json')).out) as object;
    expect(JSON.stringify(after)).not.toBe(JSON.stringify(before));
    expect((await hearth('functions', 'delete', 'greet')).code).toBe(0);
    const gone = await hearth('functions', 'get', 'greet');
    expect(gone.code).toBe(1);
    expect(gone.err.trim()).toMatch(
      /Function not found: arn:aws:lambda:us-east-1:000000000000:function:greet$/,
    );
  });

  test('doctor tells what the sandbox enforces', async () => {
    const { code, out } = await hearth('doctor');
    expect(code).toBe(0);
    for (const property of ['memory', 'network', 'filesystem']) expect(out).toContain(property);
  });
});
