import {
  CreateFunctionCommand,
  type Runtime,
  UpdateFunctionConfigurationCommand,
} from '@aws-sdk/client-lambda';
import { buffer } from 'node:stream/consumers';
import { ZipFile } from 'yazl';

import { InstallError } from '../packages/server/src/runtimes/install-error.ts';
import { installJavaClient } from '../packages/server/src/runtimes/install-java.ts';
import { readHealth } from '../scripts/health.ts';
import { invokeRequest, startBenchServer, untilActive, type BenchServer } from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { untilEnvironments } from './environment-list.ts';
import { HttpConnection } from './http-connection.ts';
import { percentile } from './percentile.ts';

const SAMPLES = 20;
/** They pay for code that the server runs for the first time, and fill its caches: left out. */
const WARM_UP_ROUNDS = 2;
const RUNTIMES: readonly Runtime[] = ['java17', 'java21', 'java25'];
/** A method of Java's own, so that nothing has to be compiled: it returns the event before this one. */
const HANDLER = 'java.util.concurrent.atomic.AtomicReference::getAndSet';
/** An option that names how archives are used keeps the server's from being used. */
const KINDS = { archive: {}, 'no-archive': { JAVA_TOOL_OPTIONS: '-Xshare:auto' } };

interface Sample {
  readonly init: number;
  readonly client: number;
}

/** A new environment's first event in Java, seen by the client, and its init. */
export const javaColdStart: Benchmark = {
  name: 'java-cold-start',
  what: "a new environment's first event in Java, with the archive of classes and without",
  run: async (note, wants) => {
    const figures: Figure[] = [];
    for (const runtime of RUNTIMES.filter((one) => wants(one))) {
      await using server = await startBenchServer(['--prewarm', '0', '--strict-runtimes']);
      const interpreter = (await readHealth(server.endpoint)).interpreterVersion(runtime);
      if (interpreter === undefined) {
        note(`${runtime} is left out: nothing on this machine runs it`);
        continue;
      }
      try {
        const { dataDirectory: dataDir } = server;
        const { signal } = new AbortController();
        await installJavaClient({ dataDir, environment: process.env, signal });
      } catch (error) {
        if (!(error instanceof InstallError)) throw error;
        note(`Java is left out: ${error.message}`);
        return figures;
      }
      note(`${runtime} on ${interpreter}`);
      figures.push(...(await measure(server, runtime)));
    }
    return figures;
  },
};

async function measure(server: BenchServer, runtime: Runtime): Promise<Figure[]> {
  await create(server, runtime);
  using connection = await HttpConnection.open(server.endpoint);
  const samples: Record<keyof typeof KINDS, Sample[]> = { archive: [], 'no-archive': [] };
  for (let i = -WARM_UP_ROUNDS; i < SAMPLES; i += 1) {
    for (const kind of ['archive', 'no-archive'] as const) {
      await retireEnvironments(server, runtime, { ...KINDS[kind], ROUND: String(i) });
      const sample = await coldStartOf(server, connection, runtime);
      if (i >= 0) samples[kind].push(sample);
    }
  }
  return (['archive', 'no-archive'] as const).flatMap((kind) =>
    (['init', 'client'] as const).map((what) => ({
      name: `java-cold-start/${runtime}/${kind}/${what}-p50`,
      value: percentile(
        samples[kind].map((sample) => sample[what]),
        0.5,
      ),
      unit: 'ms' as const,
      samples: samples[kind].length,
    })),
  );
}

async function coldStartOf(
  server: BenchServer,
  connection: HttpConnection,
  name: string,
): Promise<Sample> {
  const sentMs = performance.now();
  const { status, head } = await connection.send(invokeRequest(server.endpoint, name, '{"a":1}'));
  const client = performance.now() - sentMs;
  if (status !== 200 || /\r\nx-amz-function-error:/i.test(head)) {
    throw new Error(`Cannot measure: ${head}`);
  }
  const { environments } = await untilEnvironments(
    server.endpoint,
    'one environment',
    (list) => list.environments.length === 1,
  );
  return { client, init: environments[0]?.coldStart?.initMs ?? Number.NaN };
}

/** The archive is made before this returns. */
async function create({ client }: BenchServer, runtime: Runtime): Promise<void> {
  const zip = new ZipFile();
  zip.addBuffer(Buffer.from('no code of its own\n'), 'readme.txt');
  zip.end();
  await client.send(
    new CreateFunctionCommand({
      FunctionName: runtime,
      Runtime: runtime,
      Handler: HANDLER,
      Role: 'arn:aws:iam::000000000000:role/benchmark',
      MemorySize: 1_769,
      Timeout: 30,
      Code: { ZipFile: await buffer(zip.outputStream) },
    }),
  );
  await untilActive(client, runtime);
}

/** A changed configuration never meets an old environment. */
async function retireEnvironments(
  { client, endpoint }: BenchServer,
  name: string,
  variables: Record<string, string>,
): Promise<void> {
  await client.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: name,
      Environment: { Variables: variables },
    }),
  );
  await untilActive(client, name);
  await untilEnvironments(endpoint, 'no environment', (list) => list.environments.length === 0);
}
