import { LambdaClient } from '@aws-sdk/client-lambda';
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { deploy, invoke } from '../support/function.ts';
import { printed } from '../support/function-log.ts';
import { removeTree } from '../../packages/server/src/files/remove-tree.ts';

const run = promisify(execFile);
const CLI = fileURLToPath(new URL('../../packages/server/src/cli/main.ts', import.meta.url));

/** The function tells its process id on the host only where it shares the host's processes. */
const MARK = 'hearth-test-survivor';
const SPAWNER = {
  'index.js': `const { spawn } = require('node:child_process');
    exports.handler = async (event) => {
      const child = spawn(process.execPath, ['-e', 'setInterval(()=>{},1000)', '${MARK}-' + event.mark],
        { detached: true, stdio: 'ignore' });
      child.unref();
      return 'spawned';
    };`,
};

/** Says that it runs, then takes its time. */
const SLOW = {
  'index.js': `exports.handler = async () => {
      console.log('it runs');
      await new Promise((resolve) => setTimeout(resolve, 500));
      return 'finished';
    };`,
};

interface Started {
  readonly server: ChildProcess;
  readonly client: LambdaClient;
  readonly endpoint: string;
}

/** Of every process; read by hand where there is /proc, as small systems have no ps. */
async function commandLines(): Promise<string[]> {
  if (process.platform !== 'linux') {
    const { stdout } = await run('ps', ['-Ao', 'args']);
    return stdout.split('\n');
  }
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const lines = await Promise.all(
    ids.map((id) => readFile(`/proc/${id}/cmdline`, 'utf8').catch(() => '')),
  );
  return lines.map((line) => line.replaceAll('\0', ' '));
}

describe('the server process', () => {
  let dataDir: string;
  const servers: ChildProcess[] = [];

  beforeEach(async () => {
    dataDir = await mkdtemp(join(tmpdir(), 'hearth-server-'));
  });

  afterEach(async () => {
    for (const server of servers.splice(0)) {
      if (server.exitCode === null && server.signalCode === null) {
        server.kill('SIGTERM');
        await once(server, 'exit');
      }
    }
    await removeTree(dataDir);
  });

  async function start(): Promise<Started> {
    const server = spawn(process.execPath, [CLI, 'start', '--port', '0', '--data-dir', dataDir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    servers.push(server);
    if (server.stdout === null) throw new Error('the server must have a standard output');
    for await (const line of createInterface({ input: server.stdout })) {
      const endpoint = /^hearth ready (http:\S+)$/.exec(line)?.[1];
      if (endpoint === undefined) continue;
      const client = new LambdaClient({
        endpoint,
        region: 'us-east-1',
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
        maxAttempts: 1,
      });
      return { server, client, endpoint };
    }
    throw new Error('the server ended before it was ready');
  }

  /** Command lines on this machine that are of this test's servers or of what they started. */
  async function survivors(mark: string): Promise<string[]> {
    const lines = await commandLines();
    return lines.filter((line) => line.includes(`${MARK}-${mark}`) || line.includes(dataDir));
  }

  test('on SIGTERM it finishes what runs, ends every child and exits 0', async () => {
    const { server, client, endpoint } = await start();
    await deploy(client, 'spawner', SPAWNER);
    await invoke(client, 'spawner', { mark: `term-${process.pid}` });
    expect((await survivors(`term-${process.pid}`)).join('\n')).toContain(MARK);
    await deploy(client, 'slow', SLOW);
    const running = invoke(client, 'slow');
    await printed(endpoint, 'slow', 'it runs');
    server.kill('SIGTERM');
    const [code] = (await once(server, 'exit')) as [number | null];
    expect(code).toBe(0);
    expect((await running).result).toBe('finished');
    expect(await survivors(`term-${process.pid}`)).toEqual([]);
  });

  test('after kill -9 a restart finds its functions and leaves nothing of the old run', async () => {
    const first = await start();
    await deploy(first.client, 'spawner', SPAWNER);
    const mark = `kill-${process.pid}`;
    await invoke(first.client, 'spawner', { mark });
    expect((await survivors(mark)).join('\n')).toContain(MARK);
    first.server.kill('SIGKILL');
    await once(first.server, 'exit');

    const second = await start();
    const left = await survivors(mark);
    expect(left.filter((line) => !line.includes('cli/main.ts start'))).toEqual([]);
    expect((await invoke(second.client, 'spawner', { mark })).result).toBe('spawned');
  });
});
