import {
  CreateFunctionCommand,
  PublishLayerVersionCommand,
  type CreateFunctionCommandInput,
} from '@aws-sdk/client-lambda';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ServerConfig } from '../../packages/server/src/config/server-config.ts';
import { javaClientDirectory } from '../../packages/server/src/runtimes/java-client.ts';
import { printed } from '../support/function-log.ts';
import { deploy, invoke, invokeWithLog, zipOf, type Files } from '../support/function.ts';
import { addJavaOfPyPI, addJavaClient, findJavaTools, jarOf } from '../support/java.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const tools = await findJavaTools();
/** The newest that this machine has. */
const Runtime = 'reason' in tools ? undefined : tools.runtimes.at(-1);
const major = Runtime?.replace('java', '');

async function start(options: Partial<ServerConfig> = {}): Promise<TestServer> {
  const server = await startTestServer(options);
  await addJavaClient(server);
  return server;
}

describe.skipIf(Runtime === undefined)('Java (skipped where it cannot be compiled)', () => {
  const compiled: Record<'handlers' | 'layered' | 'library', Files> = {
    handlers: {},
    layered: {},
    library: {},
  };
  beforeAll(async () => {
    if ('reason' in tools) return;
    for (const folder of ['handlers', 'layered', 'library'] as const) {
      compiled[folder] = await tools.compile(folder);
    }
  });

  async function create(
    { client }: TestServer,
    name: string,
    settings: Partial<CreateFunctionCommandInput>,
    files: Files = compiled.handlers,
  ): Promise<void> {
    const common = { Runtime, MemorySize: 1_769, Timeout: 30 };
    await deploy(client, name, files, { ...common, ...settings });
  }

  describe.each(['auto', 'process'] as const)('with the sandbox %s', (sandbox) => {
    let server: TestServer;
    beforeAll(async () => {
      server = await start({ sandbox });
    });
    afterAll(() => server[Symbol.asyncDispose]());

    test('the context and the process are what AWS Lambda has', async () => {
      const variables = { GREETING: 'hello é' };
      await create(server, 'about', {
        Handler: 'example.About',
        Environment: { Variables: variables },
      });
      const { result, requestId } = await invoke(
        server.client,
        'about',
        {},
        {
          ClientContext: Buffer.from('{"custom":{"k":"v"}}').toString('base64'),
        },
      );
      expect(result).toMatchObject({
        requestId,
        functionName: 'about',
        functionVersion: '$LATEST',
        arn: 'arn:aws:lambda:us-east-1:000000000000:function:about',
        memory: 1_769,
        logGroup: '/aws/lambda/about',
        logStream: expect.stringMatching(/^\d{4}\/\d\d\/\d\d\/\[\$LATEST\][0-9a-f]{32}$/),
        hasTime: true,
        client: { k: 'v' },
        trace: expect.stringMatching(/^Root=1-/),
        environment: {
          ...variables,
          AWS_EXECUTION_ENV: `AWS_Lambda_${Runtime}`,
          _HANDLER: 'example.About',
        },
        java: major,
        zone: 'UTC',
        charset: 'UTF-8',
        arguments: expect.arrayContaining(['-XX:MaxHeapSize=1565696k', '-XX:+UseSerialGC']),
      });
      if (sandbox === 'process') return;
      expect(result).toMatchObject({
        directory: '/var/task',
        environment: { LAMBDA_TASK_ROOT: '/var/task', LAMBDA_RUNTIME_DIR: '/var/runtime' },
      });
    });

    test('an archive of classes is made at deploy and used by every start', async () => {
      const options = '-Xlog:class+load:file=/tmp/hearth-java-load-%p.txt';
      await create(server, 'loaded', {
        Handler: 'example.Loaded::count',
        Environment: { Variables: { JAVA_TOOL_OPTIONS: options } },
      });
      const archives = join(javaClientDirectory(server.dataDir), 'archives');
      expect(await readdir(archives)).toEqual([expect.stringMatching(`^java${major}-`)]);
      const { result } = await invoke(server.client, 'loaded');
      const counts = result as Record<string, number>;
      // Of the client and what it needs, next to none is read from a jar.
      expect(counts['shared objects file (top)']).toBeGreaterThan(500);
      expect(counts['jars'] ?? 0).toBeLessThan(60);
    });

    test('a change of JAVA_TOOL_OPTIONS, and a wrapper, reach the process', async () => {
      const wrapper = '#!/bin/sh\nexport WRAPPED=yes\nexec "$@" \n';
      await create(
        server,
        'wrapped',
        {
          Handler: 'example.About',
          Environment: {
            Variables: {
              AWS_LAMBDA_EXEC_WRAPPER: '/var/task/wrapper',
              JAVA_TOOL_OPTIONS: '-Dfile.encoding=ISO-8859-1',
            },
          },
        },
        { ...compiled.handlers, wrapper },
      );
      expect((await invoke(server.client, 'wrapped')).result).toMatchObject({
        environment: { WRAPPED: 'yes' },
        charset: 'ISO-8859-1',
      });
    });
  });

  describe('a function', () => {
    let server: TestServer;
    beforeAll(async () => {
      server = await start();
    });
    afterAll(() => server[Symbol.asyncDispose]());

    test('what it prints is logged: one event of the logger, lines of the streams', async () => {
      await create(server, 'printing', { Handler: 'example.Printing' });
      const { result, log } = await invokeWithLog(server.client, 'printing');
      expect(result).toBe('printed');
      for (const line of ['one event', 'of two lines', 'standard output', 'standard error é']) {
        expect(log).toContain(line);
      }
      await printed(server.endpoint, 'printing', 'while loading');
      await printed(server.endpoint, 'printing', 'one event\\nof two lines');
      await printed(server.endpoint, 'printing', `INIT_START Runtime Version: java:${major}.`);
    });

    test('classes come from the folder, from jars in lib and from layers', async () => {
      const { LayerVersionArn = '' } = await server.client.send(
        new PublishLayerVersionCommand({
          LayerName: 'greeting',
          Content: { ZipFile: await zipOf({ 'java/lib/g.jar': await jarOf(compiled.layered) }) },
        }),
      );
      await create(
        server,
        'linked',
        { Handler: 'example.Linked', Layers: [LayerVersionArn] },
        { ...compiled.handlers, 'lib/helper.jar': await jarOf(compiled.library) },
      );
      const names = ['layered.Greeting', 'library.Helper', 'none.Such'];
      expect((await invoke(server.client, 'linked', names)).result).toEqual([
        'of the layer',
        'of the library',
        'java.lang.ClassNotFoundException: none.Such',
      ]);
    });

    test('a handler may be in a jar of lib itself', async () => {
      const files = { 'lib/function.jar': await jarOf(compiled.handlers) };
      await create(server, 'packed', { Handler: 'example.Methods::text' }, files);
      expect((await invoke(server.client, 'packed', 'x')).result).toBe('hello x');
    });

    test('where the machine lacks the version the nearest one runs it, and the log says so', async () => {
      await create(server, 'nearest', { Runtime: 'java8.al2', Handler: 'example.Methods::text' });
      expect((await invoke(server.client, 'nearest', 'x')).result).toBe('hello x');
      await printed(server.endpoint, 'nearest', 'java8.al2 runs on Java ');
      await printed(server.endpoint, 'nearest', 'hearth runtimes install java8.al2');
    });
  });

  test('strict servers refuse it instead', async () => {
    await using server = await start({ strictRuntimes: true });
    await expect(
      create(server, 'strict', { Runtime: 'java8.al2', Handler: 'example.Methods::text' }),
    ).rejects.toThrow('Cannot run java8.al2 as this machine must have an interpreter for it');
  });

  test.for([
    ['java11', false],
    ['java21', true],
  ] as const)('the Java of PyPI runs %s', async ([runtime, hasArchive], context) => {
    await using server = await start();
    const reason = await addJavaOfPyPI(server, runtime);
    context.skip(reason !== undefined, reason);
    await create(server, 'fetched', { Runtime: runtime, Handler: 'example.About' });
    const { result } = await invoke(server.client, 'fetched');
    expect(result).toMatchObject({ java: runtime.slice('java'.length), charset: 'UTF-8' });
    const flags = (result as { arguments: string[] }).arguments.join(' ');
    expect(/-XX:SharedArchiveFile=\S*java21-/.test(flags)).toBe(hasArchive);
  });
});

test("without AWS's client Java is refused in one line", async () => {
  await using server = await startTestServer();
  const code = { ZipFile: await zipOf({ 'A.class': '' }) };
  const role = 'arn:aws:iam::000000000000:role/test';
  const refused = server.client.send(
    new CreateFunctionCommand({
      FunctionName: 'refused',
      Role: role,
      Runtime: 'java21',
      Handler: 'A::b',
      Code: code,
    }),
  );
  await expect(refused).rejects.toThrow(/^Cannot run java21 as .* hearth runtimes install java21$/);
});
