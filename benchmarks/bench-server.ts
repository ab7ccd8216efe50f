import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';

import {
  CreateFunctionCommand,
  GetFunctionConfigurationCommand,
  LambdaClient,
  type Runtime,
} from '@aws-sdk/client-lambda';
import { ZipFile } from 'yazl';

import { startServerProcess } from '../scripts/server-process.ts';
import { httpRequest } from './http-connection.ts';
import { removeTree } from '../packages/server/src/files/remove-tree.ts';

const STOP_SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP'] as const;

/** A server of its own for one measurement, with an empty data folder and a port that was free. */
export interface BenchServer extends AsyncDisposable {
  readonly endpoint: string;
  readonly client: LambdaClient;
  readonly pid: number;
  readonly dataDirectory: string;
}

/** @param settings options of `hearth start` beyond its place */
export async function startBenchServer(settings: readonly string[] = []): Promise<BenchServer> {
  const dataDirectory = await mkdtemp(join(tmpdir(), 'hearth-bench-'));
  const server = await startServerProcess({
    args: ['--port', '0', '--data-dir', dataDirectory, ...settings],
    env: process.env,
    errorOutput: 'collect',
  });
  const client = new LambdaClient({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  // Stopping the server fails the measurement that is under way, which ends the run.
  const interrupt = (): void => void server.stop();
  for (const signal of STOP_SIGNALS) process.on(signal, interrupt);
  return {
    endpoint: server.endpoint,
    client,
    pid: server.pid,
    dataDirectory,
    [Symbol.asyncDispose]: async () => {
      for (const signal of STOP_SIGNALS) process.off(signal, interrupt);
      client.destroy();
      await server.stop();
      await removeTree(dataDirectory);
    },
  };
}

/** Deploys a function of one file and waits until it is active. */
export async function createFunction(
  client: LambdaClient,
  definition: {
    name: string;
    runtime: Runtime;
    file: string;
    source: string;
    memoryMb?: number;
    timeoutSeconds?: number;
  },
): Promise<void> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from(definition.source), definition.file);
  zip.end();
  await client.send(
    new CreateFunctionCommand({
      FunctionName: definition.name,
      Runtime: definition.runtime,
      Handler: definition.file.replace(/\.[^.]+$/, '.handler'),
      Role: 'arn:aws:iam::000000000000:role/benchmark',
      MemorySize: definition.memoryMb ?? 1769,
      Timeout: definition.timeoutSeconds ?? 30,
      Code: { ZipFile: await buffer(zip.outputStream) },
    }),
  );
  await untilActive(client, definition.name);
}

/** Waits for the function's code and configuration to be in effect. */
export async function untilActive(client: LambdaClient, functionName: string): Promise<void> {
  const signal = AbortSignal.timeout(30_000);
  for (;;) {
    const { State: state, LastUpdateStatus: update } = await client.send(
      new GetFunctionConfigurationCommand({ FunctionName: functionName }),
    );
    if (state === 'Active' && update === 'Successful') return;
    await delay(10, undefined, { signal });
  }
}

/** A prepared Invoke. The server takes any signature by default and reads the region from its scope. */
export function invokeRequest(
  endpoint: string,
  functionName: string,
  payload: string,
  headers: readonly string[] = [],
): Uint8Array {
  const scope = 'test/20250101/us-east-1/lambda/aws4_request';
  return httpRequest(
    'POST',
    endpoint,
    `/2015-03-31/functions/${functionName}/invocations`,
    [
      'X-Amz-Date: 20250101T000000Z',
      `Authorization: AWS4-HMAC-SHA256 Credential=${scope}, SignedHeaders=host, Signature=${'0'.repeat(64)}`,
      ...headers,
    ],
    payload,
  );
}
