import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  DeleteLayerVersionCommand,
  GetFunctionConfigurationCommand,
  PublishLayerVersionCommand,
  UpdateFunctionConfigurationCommand,
  waitUntilFunctionUpdatedV2,
} from '@aws-sdk/client-lambda';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { craftZip } from '../../packages/server/src/artifacts/crafted-zip.ts';
import { removeTree } from '../../packages/server/src/files/remove-tree.ts';
import { deploy, invoke, zipOf } from '../support/function.ts';
import { findPython } from '../support/python.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const python = await findPython();
const EXECUTABLE = 0o100755;

describe.each(['auto', 'process'] as const)('layers, with the sandbox %s', (sandbox) => {
  let server: TestServer;

  beforeAll(async () => {
    server = await startTestServer({ sandbox });
  });

  afterAll(() => server[Symbol.asyncDispose]());

  async function publishArchive(name: string, archive: Buffer): Promise<string> {
    const { LayerVersionArn } = await server.client.send(
      new PublishLayerVersionCommand({ LayerName: name, Content: { ZipFile: archive } }),
    );
    return LayerVersionArn ?? '';
  }

  /** Publishes text files; the ARN of the version. */
  const publish = async (name: string, files: Record<string, string>): Promise<string> =>
    publishArchive(name, await zipOf(files));

  /** Publishes a layer with one program. */
  const publishProgram = (name: string, path: string, lines: readonly string[]): Promise<string> =>
    publishArchive(
      name,
      craftZip([{ name: path, content: `${lines.join('\n')}\n`, mode: EXECUTABLE }]),
    );

  test('a Node.js function requires packages from layers, those of its own version first', async () => {
    const Layers = [
      await publish('general', {
        'nodejs/node_modules/greet/index.js': 'module.exports = "general";',
        'nodejs/node_modules/only/index.js': 'module.exports = require("greet");',
      }),
      await publish('special', {
        'nodejs/node24/node_modules/greet/index.js': 'module.exports = "node24";',
        'nodejs/node22/node_modules/greet/index.js': 'module.exports = "node22";',
      }),
    ];
    const source = {
      'index.js': 'exports.handler = async () => [require("greet"), require("only")];',
    };
    await deploy(server.client, 'requires', source, { Layers });
    // A package finds its neighbours first, as Node.js has it.
    expect((await invoke(server.client, 'requires')).result).toEqual(['node24', 'general']);
  });

  test('later layers win, and an update changes what the next event sees', async () => {
    const [first, second] = [
      await publish('over-a', { 'both.txt': 'first', 'a.txt': 'a', 'lib/kept.txt': 'kept' }),
      await publish('over-b', { 'both.txt': 'second', 'lib/more.txt': 'more' }),
    ];
    const source = {
      'index.js': `const fs = require('node:fs');
        const opt = process.env.PATH.split(':').at(-1).replace(/.bin$/, '');
        exports.handler = async () => fs.existsSync(opt) && {
          both: fs.existsSync(opt + '/both.txt') && fs.readFileSync(opt + '/both.txt', 'utf8'),
          names: fs.readdirSync(opt, { recursive: true }).sort(),
        };`,
    };
    const update = async (Layers: string[]): Promise<unknown> => {
      const FunctionName = 'ordered';
      await server.client.send(new UpdateFunctionConfigurationCommand({ FunctionName, Layers }));
      await waitUntilFunctionUpdatedV2(
        { client: server.client, maxWaitTime: 30, minDelay: 1, maxDelay: 1 },
        { FunctionName },
      );
      return (await invoke(server.client, FunctionName)).result;
    };
    await deploy(server.client, 'ordered', source, { Layers: [first, second] });
    const names = ['a.txt', 'both.txt', 'lib', 'lib/kept.txt', 'lib/more.txt'];
    expect((await invoke(server.client, 'ordered')).result).toEqual({ both: 'second', names });
    expect(await update([second, first])).toEqual({ both: 'first', names });
    expect(await update([second])).toEqual({
      both: 'second',
      names: ['both.txt', 'lib', 'lib/more.txt'],
    });
    expect(await update([])).toEqual({ both: false, names: [] });
  });

  test('a deleted layer version goes on working in the functions that use it', async () => {
    const Layers = [
      await publish('doomed', {
        'nodejs/node_modules/doomed/index.js': 'module.exports = "alive";',
      }),
      await publish('beside', { 'x.txt': '' }),
    ];
    const source = { 'index.js': 'exports.handler = async () => require("doomed");' };
    await deploy(server.client, 'survivor', source, { Layers });
    await server.client.send(
      new DeleteLayerVersionCommand({ LayerName: 'doomed', VersionNumber: 1 }),
    );
    expect((await invoke(server.client, 'survivor')).result).toBe('alive');
    const configuration = await server.client.send(
      new GetFunctionConfigurationCommand({ FunctionName: 'survivor' }),
    );
    expect(configuration.Layers?.map(({ Arn }) => Arn)).toEqual(Layers);
  });

  test('the handler itself may be in a layer', async () => {
    const Layers = [
      await publish('handler', {
        'nodejs/node_modules/app.js': 'exports.handler = async () => "from the layer";',
      }),
    ];
    await deploy(
      server.client,
      'handler-in-layer',
      { 'note.txt': '' },
      { Layers, Handler: 'app.handler' },
    );
    expect((await invoke(server.client, 'handler-in-layer')).result).toBe('from the layer');
  });

  test('programs of a layer are on the PATH', async () => {
    const Layers = [
      await publishProgram('program', 'bin/hello-layer', ['#!/bin/sh', 'echo "hello $1"']),
    ];
    const source = {
      'index.js': `const { execFileSync } = require('node:child_process');
        exports.handler = async () => execFileSync('hello-layer', ['you']).toString().trim();`,
    };
    await deploy(server.client, 'runs-program', source, { Layers });
    expect((await invoke(server.client, 'runs-program')).result).toBe('hello you');
  });

  test.skipIf(python === undefined)(
    'a Python function imports packages from layers, and its handler (skipped where there is no Python)',
    async () => {
      const Layers = [
        await publish('py', {
          'python/greet.py': 'WHERE = "python"\n',
          'python/own.py':
            'import greet, deep\ndef handler(event, context):\n    return [greet.WHERE, deep.WHERE]\n',
          'python/lib/python3.12/site-packages/deep/__init__.py': 'WHERE = "site-packages"\n',
        }),
      ];
      const settings = { Runtime: 'python3.12' as const, Layers };
      await deploy(
        server.client,
        'py-imports',
        {
          'app.py':
            'import own\ndef handler(event, context):\n    return own.handler(event, context)\n',
        },
        { ...settings, Handler: 'app.handler' },
      );
      await deploy(
        server.client,
        'py-handler',
        { 'note.txt': '' },
        { ...settings, Handler: 'own.handler' },
      );
      const expected = ['python', 'site-packages'];
      expect((await invoke(server.client, 'py-imports')).result).toEqual(expected);
      expect((await invoke(server.client, 'py-handler')).result).toEqual(expected);
    },
  );

  describe('exec wrapper', () => {
    const source = {
      'index.js': `exports.handler = async (event) => ({
        variable: process.env.FROM_WRAPPER, options: process.env.NODE_OPTIONS,
        argv: process.env.WRAPPER_ARGUMENTS, own: Object.keys(process.env).filter((n) => /HEARTH/.test(n)),
        ...(event.exit && process.exit(event.exit)),
      });
      exports.other = async () => 'other';`,
      'app.py':
        'import os\ndef handler(event, context):\n' +
        '    return [os.environ["FROM_WRAPPER"], os.environ["WRAPPER_ARGUMENTS"]]\n',
    };
    const WRAPPER = [
      '#!/bin/sh',
      'export FROM_WRAPPER=set NODE_OPTIONS=--no-deprecation WRAPPER_ARGUMENTS="$*"',
      'exec "$@"',
    ];
    const Environment = { Variables: { AWS_LAMBDA_EXEC_WRAPPER: '/opt/wrapper' } };

    test('starts Node.js with its arguments, and what it sets is there', async () => {
      const Layers = [await publishProgram('wrapper', 'wrapper', WRAPPER)];
      await deploy(server.client, 'wrapped', source, { Layers, Environment });
      expect((await invoke(server.client, 'wrapped')).result).toEqual({
        variable: 'set',
        options: '--no-deprecation',
        argv: expect.stringMatching(/\/bin\/node --max-http-header-size=81920 .*\/index\.cjs$/),
        own: [],
      });
      const ended = await invoke(server.client, 'wrapped', { exit: 3 });
      expect(ended.result).toMatchObject({
        errorType: 'Runtime.ExitError',
        errorMessage: expect.stringMatching(/exit status 3$/),
      });
      expect((await invoke(server.client, 'wrapped')).result).toMatchObject({ variable: 'set' });
    });

    test('may name another handler', async () => {
      const wrapper = ['#!/bin/sh', 'export _HANDLER=index.other', 'exec "$@"'];
      const Layers = [await publishProgram('rename', 'wrapper', wrapper)];
      await deploy(server.client, 'renamed', source, { Layers, Environment });
      expect((await invoke(server.client, 'renamed')).result).toBe('other');
    });

    test.skipIf(python === undefined)('starts Python (skipped where there is none)', async () => {
      const Layers = [await publishProgram('py-wrapper', 'wrapper', WRAPPER)];
      const settings = { Runtime: 'python3.12' as const, Handler: 'app.handler' };
      await deploy(server.client, 'py-wrapped', source, { ...settings, Layers, Environment });
      expect((await invoke(server.client, 'py-wrapped')).result).toEqual([
        'set',
        expect.stringMatching(/\/python\S* .*\/bootstrap\.py$/),
      ]);
    });

    test('that is not there ends the runtime with exit status 127', async () => {
      await deploy(server.client, 'unwrapped', source, { Environment });
      const { result, functionError } = await invoke(server.client, 'unwrapped');
      expect(functionError).toBe('Unhandled');
      expect(result).toMatchObject({
        errorType: 'Runtime.ExitError',
        errorMessage: expect.stringMatching(
          /^RequestId: \S+ Error: Runtime exited with error: exit status 127$/,
        ),
      });
    });

    test('that may not be executed ends it with exit status 126', async () => {
      const Layers = [await publish('text', { wrapper: 'exec "$@"\n' })];
      await deploy(server.client, 'not-executable', source, { Layers, Environment });
      expect((await invoke(server.client, 'not-executable')).result).toMatchObject({
        errorType: 'Runtime.ExitError',
        errorMessage: expect.stringMatching(/exit status 126$/),
      });
    });
  });
});

describe('a layer', () => {
  test('cannot be written to, nor what it holds', async (context) => {
    await using server = await startTestServer();
    const health = await fetch(`${server.endpoint}/_hearth/health`);
    const { sandbox } = (await health.json()) as { sandbox: { driver: string } };
    context.skip(sandbox.driver === 'process', 'the process driver isolates nothing');
    const { LayerVersionArn: arn = '' } = await server.client.send(
      new PublishLayerVersionCommand({
        LayerName: 'read-only',
        Content: { ZipFile: await zipOf({ 'a.txt': 'a' }) },
      }),
    );
    const source = {
      'index.js': `const fs = require('node:fs');
        const attempt = (path) => { try { fs.writeFileSync(path, 'x'); return 'written'; } catch (e) { return e.code; } };
        exports.handler = async () => [attempt('/opt/a.txt'), attempt('/opt/new')];`,
    };
    await deploy(server.client, 'writer', source, { Layers: [arn] });
    expect((await invoke(server.client, 'writer')).result).toEqual(['EROFS', 'EROFS']);
  });

  test('that leaves its folder is refused and no version is made', async () => {
    await using server = await startTestServer({ sandbox: 'process' });
    const publish = (ZipFile: Buffer) =>
      server.client.send(
        new PublishLayerVersionCommand({ LayerName: 'escape', Content: { ZipFile } }),
      );
    await expect(
      publish(craftZip([{ name: '../../escaped', content: 'x' }])),
    ).rejects.toMatchObject({
      name: 'InvalidParameterValueException',
      message: 'Could not unzip uploaded file. Please check your file, then try to upload again.',
      $metadata: { httpStatusCode: 400 },
    });
    expect((await publish(await zipOf({ 'a.txt': 'a' }))).Version).toBe(1);
  });

  test('is there after a restart, with the functions that use it', async () => {
    const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'hearth-restart-')));
    onTestFinished(() => removeTree(dataDir));
    const options = { sandbox: 'process' as const, dataDir };
    {
      await using first = await startTestServer(options);
      const Layers: string[] = [];
      for (const name of ['one', 'two']) {
        const content = { [`nodejs/node_modules/${name}/index.js`]: `module.exports = "${name}";` };
        const command = { LayerName: name, Content: { ZipFile: await zipOf(content) } };
        const { LayerVersionArn } = await first.client.send(
          new PublishLayerVersionCommand(command),
        );
        Layers.push(LayerVersionArn ?? '');
      }
      const source = {
        'index.js': 'exports.handler = async () => [require("one"), require("two")];',
      };
      await deploy(first.client, 'kept', source, { Layers });
    }
    await using second = await startTestServer(options);
    expect((await invoke(second.client, 'kept')).result).toEqual(['one', 'two']);
    const { Version } = await second.client.send(
      new PublishLayerVersionCommand({
        LayerName: 'one',
        Content: { ZipFile: await zipOf({ 'a.txt': '' }) },
      }),
    );
    expect(Version).toBe(2);
  });
});
