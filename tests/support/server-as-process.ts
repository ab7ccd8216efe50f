import { mkdtemp, readFile, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { removeTree } from '../../packages/server/src/files/remove-tree.ts';
import { startServerProcess } from '../../scripts/server-process.ts';
import type { TestServer } from './server.ts';

/** The real server as a process of its own. */
export interface ServerAsProcess extends TestServer {
  readonly pid: number;
  /** The most memory that it has held so far, in MB. */
  peakMb(): Promise<number>;
}

/** Starts it on a free port with a data folder that goes with it, and `environment` beside PATH. */
export async function startServerAsProcess(
  environment: Readonly<Record<string, string>> = {},
): Promise<ServerAsProcess> {
  await using resources = new AsyncDisposableStack();
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'hearth-')));
  resources.defer(() => removeTree(dataDir));
  const server = resources.use(
    await startServerProcess({
      args: ['--port', '0', '--data-dir', dataDir],
      env: { PATH: process.env['PATH'], ...environment },
      errorOutput: 'inherit',
    }),
  );
  const client = new LambdaClient({
    endpoint: server.endpoint,
    region: 'us-east-1',
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  resources.defer(() => client.destroy());
  const owned = resources.move();
  return {
    endpoint: server.endpoint,
    client,
    dataDir,
    pid: server.pid,
    peakMb: async () => {
      const status = await readFile(`/proc/${server.pid}/status`, 'latin1');
      return Number(/^VmHWM:\s*(\d+) kB/m.exec(status)?.[1]) / 1_024;
    },
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
