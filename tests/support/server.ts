import { mkdtemp, realpath } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { LambdaClient } from '@aws-sdk/client-lambda';

import { loadServerConfig } from '../../packages/server/src/config/load-config.ts';
import type { ServerConfig } from '../../packages/server/src/config/server-config.ts';
import { startServer } from '../../packages/server/src/main.ts';
import { removeTree } from '../../packages/server/src/files/remove-tree.ts';

export interface TestServer extends AsyncDisposable {
  /** `http://127.0.0.1:49152` */
  readonly endpoint: string;
  readonly client: LambdaClient;
  readonly dataDir: string;
}

/**
 * The real server in this process, on a free port and with a data folder of its own, which goes with
 * it. `options` replace settings; the environment variables of this process have no effect on it.
 */
export async function startTestServer(options: Partial<ServerConfig> = {}): Promise<TestServer> {
  await using resources = new AsyncDisposableStack();
  const dataDir = await realpath(await mkdtemp(join(tmpdir(), 'hearth-')));
  resources.defer(() => removeTree(dataDir));
  const defaults = loadServerConfig({ flags: {}, environment: {}, workingDirectory: dataDir });
  const server = await startServer({ ...defaults, port: 0, dataDir, ...options });
  resources.defer(() => server.close());
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
    [Symbol.asyncDispose]: () => owned.disposeAsync(),
  };
}
