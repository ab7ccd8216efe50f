import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, mkdtemp, readFile, readdir, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { basename, dirname, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

import { LambdaClient } from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { deploy, invoke } from '../support/function.ts';
import { removeTree } from '../../packages/server/src/files/remove-tree.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const COMMAND_TIMEOUT_MS = 120_000;

/** What `npm pack` makes, installed in an empty folder, with nothing of the user around it. */
describe('the published package', () => {
  let folder: string;
  let tarball: string;
  let environment: NodeJS.ProcessEnv;
  let version: unknown;

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'hearth-package-'));
    const home = join(folder, 'home');
    const project = join(folder, 'project');
    await Promise.all([mkdir(home), mkdir(project)]);
    // npm takes the nearest folder above that has one.
    await writeFile(join(project, 'package.json'), '{"private":true}\n');
    environment = {
      ...foreignVariables(),
      PATH: [dirname(process.execPath), process.env['PATH']].join(':'),
      HOME: home,
      TMPDIR: folder,
      // How this machine reaches the registry, and what it has fetched before.
      npm_config_cache: await npmSetting('cache'),
      npm_config_userconfig: await npmSetting('userconfig'),
      npm_config_globalconfig: await npmSetting('globalconfig'),
    };
    const { stdout } = await run(
      'npm',
      ['pack', '--json', '--foreground-scripts=false', '--pack-destination', folder],
      { cwd: root, env: environment, timeout: COMMAND_TIMEOUT_MS },
    );
    tarball = join(folder, basename(packedName(stdout)));
    await run(
      'npm',
      ['install', '--prefer-offline', '--ignore-scripts', '--no-audit', '--no-fund', tarball],
      { cwd: project, env: environment, timeout: COMMAND_TIMEOUT_MS },
    );
    const manifest: unknown = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    version = Object(manifest).version;
  }, 2 * COMMAND_TIMEOUT_MS);

  afterAll(async () => {
    await removeTree(folder);
  });

  test('is named after its version and holds the program, its guests, and no sources or tests', async () => {
    expect(basename(tarball)).toBe(`hearth-lambda-${String(version)}.tgz`);
    const installed = join(folder, 'project', 'node_modules', 'hearth-lambda');
    const files = await readdir(installed, { recursive: true });
    expect(files).toEqual(
      expect.arrayContaining([
        'LICENSE',
        'bin/hearth.mjs',
        'dist/server/src/cli/main.js',
        'dist/bootstrap/dist/node/index.cjs',
        'dist/bootstrap/python/bootstrap.py',
      ]),
    );
    expect(
      files.filter((file) => /\.ts$|\.test\.|contract|manual-clock|\/fake\//.test(file)),
    ).toEqual([]);
  });

  test('hearth --version prints its version', async () => {
    const { stdout } = await run('npx', ['--no-install', 'hearth', '--version'], {
      cwd: join(folder, 'project'),
      env: environment,
    });
    expect(stdout.trim()).toBe(version);
  });

  test('hearth start runs a function, and on SIGTERM exits 0', async () => {
    const server = spawn(
      join(folder, 'project', 'node_modules', '.bin', 'hearth'),
      ['start', '--port', '0'],
      { cwd: join(folder, 'project'), env: environment, stdio: ['ignore', 'pipe', 'pipe'] },
    );
    const exited = once(server, 'exit');
    try {
      const client = new LambdaClient({
        endpoint: await readyEndpoint(server),
        region: 'us-east-1',
        credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
        maxAttempts: 1,
      });
      await deploy(client, 'hello', {
        'index.js': 'exports.handler = async (event) => `Hello, ${event.name}`;',
      });
      expect(await invoke(client, 'hello', { name: 'Ada' })).toMatchObject({
        functionError: undefined,
        result: 'Hello, Ada',
      });
      server.kill('SIGTERM');
      expect(await exited).toEqual([0, null]);
    } finally {
      server.kill('SIGKILL');
      await exited;
    }
  });
});

/** The variables of this process without those that speak to npm, Hearth or the user's folders. */
function foreignVariables(): NodeJS.ProcessEnv {
  const ours = /^(npm_|HEARTH_|XDG_|AWS_|VITEST|NODE_ENV$|NODE_OPTIONS$|INIT_CWD$)/;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !ours.test(name)));
}

async function npmSetting(name: 'cache' | 'userconfig' | 'globalconfig'): Promise<string> {
  const { stdout } = await run('npm', ['config', 'get', name], { cwd: root });
  return stdout.trim();
}

/** npm 10 prints a list of packages, npm 11 and later an object of them; each names its file. */
function packedName(output: string): string {
  const found = /"filename":\s*"([^"]+)"/.exec(output)?.[1];
  if (found === undefined) throw new Error(`npm pack printed no file name: ${output}`);
  return found;
}

async function readyEndpoint(server: ChildProcess): Promise<string> {
  const { stdout, stderr } = server;
  if (stdout === null || stderr === null) throw new Error('the server has no output to read');
  let errorOutput = '';
  stderr.setEncoding('utf8').on('data', (text: string) => (errorOutput += text));
  for await (const line of createInterface({ input: stdout })) {
    const endpoint = /^hearth ready (http:\S+)$/.exec(line)?.[1];
    if (endpoint !== undefined) return endpoint;
  }
  throw new Error(`the server ended before it was ready: ${errorOutput}`);
}
