import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkTraces } from '../../packages/server/src/sandbox/namespace/network/network-fixture.ts';
import { deploy, invoke } from '../support/function.ts';
import { printed } from '../support/function-log.ts';
import { ownNetworkObstacle, PlayedNetwork } from '../support/played-network.ts';
import { findPython } from '../support/python.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const obstacle = ownNetworkObstacle();
const TOLD = obstacle ?? 'can be tested';
const METADATA = [
  '169.254.169.254',
  '169.254.170.2',
  '2852039166',
  '0251.0376.0251.0376',
  '[fd00:ec2::254]',
];
const ADMIN_PATHS = [
  '/_hearth/health',
  '/_hearth/logs?group=/aws/lambda/hello',
  '/_hearth/environments',
];

/** Gives the text or the error of each URL; a path is one of the endpoint. */
const NODE_CALLER = `const { networkInterfaces } = require('node:os');
exports.handler = async ({ urls = [], body, until }, { awsRequestId }) => {
  const call = async (url) => {
    const target = url.startsWith('/') ? process.env.AWS_ENDPOINT_URL + url : url;
    try {
      const options = body === undefined ? {} : { method: 'POST', body };
      const response = await fetch(target, { ...options, signal: AbortSignal.timeout(5_000) });
      return response.status + ' ' + (await response.text()).trim();
    } catch (error) {
      return error.cause?.code ?? String(error);
    }
  };
  if (until !== undefined) {
    console.log('request ' + awsRequestId + ' until ' + until);
    while ((await call('/2015-03-31/functions/' + until)).startsWith('404')) {}
  }
  return {
    results: await Promise.all(urls.map(call)),
    address: networkInterfaces().eth0?.[0]?.address,
    runtimeApi: process.env.AWS_LAMBDA_RUNTIME_API,
  };
};`;
const PYTHON_CALLER = `import errno, os, socket, urllib.error, urllib.request

def call(url, body):
    target = os.environ["AWS_ENDPOINT_URL"] + url if url.startswith("/") else url
    try:
        data = None if body is None else body.encode()
        with urllib.request.urlopen(target, data=data, timeout=5) as answer:
            return f"{answer.status} {answer.read().decode().strip()}"
    except urllib.error.HTTPError as error:
        return f"{error.code} {error.read().decode().strip()}"
    except urllib.error.URLError as error:
        return errno.errorcode.get(getattr(error.reason, "errno", None), str(error))

def handler(event, context):
    return {"results": [call(url, event.get("body")) for url in event["urls"]]}
`;
/** With AWS's SDK, which takes the endpoint and all else from the environment. */
const SDK_CALLER = `import { InvokeCommand, LambdaClient } from '@aws-sdk/client-lambda';
export const handler = async () => {
  const client = new LambdaClient();
  const answer = await client.send(new InvokeCommand({ FunctionName: 'hello', Payload: '{"name":"SDK"}' }));
  return JSON.parse(Buffer.from(answer.Payload).toString());
};`;

describe.skipIf(obstacle !== undefined)(`the network of functions (${TOLD})`, () => {
  let network: PlayedNetwork;
  let server: TestServer;

  beforeAll(async () => {
    network = await PlayedNetwork.enter({ 'example.test': '93.184.216.34' });
    server = await startTestServer({ sandbox: 'namespace' });
    await deployCallers(server);
  });
  afterAll(async () => {
    await server[Symbol.asyncDispose]();
    await network[Symbol.asyncDispose]();
  });

  test("a function of Node.js calls another one by AWS's SDK", async () => {
    await deploy(server.client, 'sdk', { 'index.js': await bundle(SDK_CALLER) }, { Timeout: 30 });
    expect((await invoke(server.client, 'sdk')).result).toEqual({ hello: 'SDK' });
  });

  describe.each(['node', 'python'])('from %s', (caller) => {
    test('the endpoint is reached', async ({ skip }) => {
      await skipWithout(caller, skip);
      expect(
        await resultsOf(server, caller, {
          urls: ['/2015-03-31/functions/hello/invocations'],
          body: '{"name":"HTTP"}',
        }),
      ).toEqual(['200 {"hello":"HTTP"}']);
    });

    test('the outside is reached by its names, and sees the host', async ({ skip }) => {
      await skipWithout(caller, skip);
      const urls = ['http://example.test/', 'http://93.184.216.34/'];
      const results = await resultsOf(server, caller, { urls });
      expect(results).toEqual(urls.map(() => `200 you are ${network.hostAddress}`));
    });

    test('E55 no service of the host is reached', async ({ skip }) => {
      await skipWithout(caller, skip);
      const { hostAddress, openPort, loopbackPort } = network;
      const serverPort = new URL(server.endpoint).port;
      const urls = [
        ...[openPort, loopbackPort, serverPort].map((port) => `http://127.0.0.1:${port}/`),
        ...[openPort, loopbackPort, serverPort].map((port) => `http://[::1]:${port}/`),
        ...[openPort, serverPort].map((port) => `http://${hostAddress}:${port}/`),
        `http://0.0.0.0:${openPort}/`,
        `http://2130706433:${openPort}/`,
      ];
      const results = await resultsOf(server, caller, { urls });
      expect(new Set(results)).toEqual(new Set(['ECONNREFUSED']));
    });

    test('E55 no metadata address is reached', async ({ skip }) => {
      await skipWithout(caller, skip);
      const urls = METADATA.map((address) => `http://${address}/latest/meta-data/`);
      const results = await resultsOf(server, caller, { urls });
      expect(results).toEqual([...Array(4).fill('ECONNREFUSED'), 'ENETUNREACH']);
    });

    test('E55 administration is refused', async ({ skip }) => {
      await skipWithout(caller, skip);
      const refusal = '403 Cannot serve the request as it must not come from a function';
      const results = await resultsOf(server, caller, { urls: ADMIN_PATHS });
      expect(results).toEqual(ADMIN_PATHS.map(() => refusal));
      for (const path of [
        '//_hearth/health',
        '/%5Fhearth/health',
        '/./_hearth/../_hearth/health',
      ]) {
        const [result] = await resultsOf(server, caller, { urls: [path] });
        expect(result).toMatch(/^40[0-9] /);
      }
    });

    test('B19 a function cannot have a folder of the host run as code', async ({ skip }) => {
      await skipWithout(caller, skip);
      const body = JSON.stringify({
        FunctionName: 'escape',
        Role: 'arn:aws:iam::000000000000:role/r',
        Runtime: 'nodejs24.x',
        Handler: 'index.handler',
        Code: { S3Bucket: 'hot-reload', S3Key: '/etc' },
      });
      const urls = ['/2015-03-31/functions'];
      const [result] = await resultsOf(server, caller, { urls, body });
      expect(result).toMatch(/^400 .*a function must not name folders of this machine/);
    });

    test('E49 the Runtime API of another environment is refused', async ({ skip }) => {
      await skipWithout(caller, skip);
      const { address } = await call(server, 'node', {});
      expect(address).toMatch(/^\d+\.\d+\.\d+\.\d+$/);
      const path = '/2018-06-01/runtime/invocation/next';
      const urls = [9_001, 4_566].map((port) => `http://${address}:${port}${path}`);
      expect(await resultsOf(server, caller === 'node' ? 'node2' : caller, { urls })).toEqual([
        'ECONNREFUSED',
        'ECONNREFUSED',
      ]);
    });

    test('E49 the request id of another environment is of no use at the own Runtime API', async ({
      skip,
    }) => {
      await skipWithout(caller, skip);
      const until = `release-${caller}`;
      const held = invoke(server.client, 'node', { until });
      const id = await printed(
        server.endpoint,
        'node',
        new RegExp(`request (\\S+) until ${until}`),
      );
      const urls = ['response', 'error'].map(
        (what) => `http://169.254.100.1:9001/2018-06-01/runtime/invocation/${id}/${what}`,
      );
      const other = caller === 'node' ? 'node2' : caller;
      for (const result of await resultsOf(server, other, { urls, body: '"forged"' })) {
        expect(result).toMatch(/^4\d\d /);
      }
      await deploy(server.client, until, { 'index.js': '' });
      expect((await held).result).toMatchObject({ results: [] });
    });
  });
});

describe.skipIf(obstacle !== undefined)(`--egress none (${TOLD})`, () => {
  test.each(['node', 'python'])('from %s only the endpoint is reached', async (caller) => {
    await using network = await PlayedNetwork.enter({ 'example.test': '93.184.216.34' });
    await using server = await startTestServer({ sandbox: 'namespace', egress: 'none' });
    await deployCallers(server);
    expect(
      await resultsOf(server, caller, {
        urls: ['/2015-03-31/functions/hello/invocations'],
        body: '{"name":"HTTP"}',
      }),
    ).toEqual(['200 {"hello":"HTTP"}']);
    const urls = [network.hostAddress, '93.184.216.34', ...METADATA.slice(0, 2)].map(
      (address) => `http://${address}/`,
    );
    expect(new Set(await resultsOf(server, caller, { urls }))).toEqual(new Set(['ENETUNREACH']));
  });

  test('a server that has ended leaves nothing of its network', async () => {
    await using network = await PlayedNetwork.enter({});
    const server = await startTestServer({ sandbox: 'namespace' });
    await deployCallers(server);
    const urls = [`http://${network.hostAddress}/`];
    expect(await resultsOf(server, 'node', { urls })).toEqual(['ECONNREFUSED']);
    const [instanceId = ''] = await readdir(join(server.dataDir, 'run'));
    expect(await networkTraces(instanceId)).toHaveLength(4);
    await server[Symbol.asyncDispose]();
    expect(await networkTraces(instanceId)).toEqual([]);
  });
});

async function deployCallers({ client }: TestServer): Promise<void> {
  await deploy(client, 'hello', {
    'index.js': 'exports.handler = async ({ name }) => ({ hello: name });',
  });
  for (const name of ['node', 'node2']) {
    await deploy(client, name, { 'index.js': NODE_CALLER }, { Timeout: 30 });
  }
  if ((await findPython()) === undefined) return;
  const settings = { Runtime: 'python3.12', Handler: 'index.handler', Timeout: 30 } as const;
  await deploy(client, 'python', { 'index.py': PYTHON_CALLER }, settings);
}

async function skipWithout(caller: string, skip: (note: string) => void): Promise<void> {
  if (caller === 'python' && (await findPython()) === undefined) skip('needs Python');
}

interface CallerResult {
  readonly results: readonly string[];
  readonly address?: string;
}

async function call({ client }: TestServer, caller: string, event: object): Promise<CallerResult> {
  const { result, functionError } = await invoke(client, caller, event);
  expect({ functionError, result }).toMatchObject({ functionError: undefined });
  return result as CallerResult;
}

async function resultsOf(
  server: TestServer,
  caller: string,
  event: { readonly urls: readonly string[]; readonly body?: string },
): Promise<readonly string[]> {
  return (await call(server, caller, event)).results;
}

async function bundle(source: string): Promise<string> {
  const { outputFiles } = await build({
    stdin: { contents: source, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    write: false,
    platform: 'node',
    format: 'cjs',
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}
