import {
  UpdateFunctionConfigurationCommand,
  type LambdaClient,
  type Runtime,
} from '@aws-sdk/client-lambda';

import {
  createFunction,
  invokeRequest,
  startBenchServer,
  untilActive,
  type BenchServer,
} from './bench-server.ts';
import { readHealth } from '../scripts/health.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { HttpConnection } from './http-connection.ts';
import { percentile } from './percentile.ts';

const SAMPLES = 40;
const LIMIT_MS = 20_000;

const SUBJECTS: readonly { name: string; runtime: Runtime; file: string; source: string }[] = [
  {
    name: 'node',
    runtime: 'nodejs24.x',
    file: 'index.js',
    source: 'exports.handler = async (event) => event;\n',
  },
  {
    name: 'python',
    runtime: 'python3.13',
    file: 'index.py',
    source: 'def handler(event, context):\n    return event\n',
  },
];

/** The first event of a new execution environment, for a function of one line. */
export const coldStart: Benchmark = {
  name: 'cold-start',
  what: 'first event of a new environment: client-seen time and Init Duration',
  run: async (note) => {
    await using server = await startBenchServer();
    const health = await readHealth(server.endpoint);
    const figures: Figure[] = [];
    for (const subject of SUBJECTS) {
      const interpreter = health.interpreterVersion(subject.runtime);
      if (interpreter === undefined) {
        note(`${subject.name} is left out: this machine has nothing that runs ${subject.runtime}`);
        continue;
      }
      note(`${subject.name}: ${subject.runtime} on ${interpreter}`);
      await createFunction(server.client, subject);
      figures.push(...(await measure(server, subject.name)));
    }
    return figures;
  },
};

async function measure(server: BenchServer, name: string): Promise<Figure[]> {
  const clientMs: number[] = [];
  const initMs: number[] = [];
  const giveUpAt = performance.now() + LIMIT_MS;
  const request = invokeRequest(server.endpoint, name, '{}', ['X-Amz-Log-Type: Tail']);
  using connection = await HttpConnection.open(server.endpoint);
  // The first sample pays for code that the server itself runs for the first time: it is left out.
  for (let i = 0; i <= SAMPLES && performance.now() < giveUpAt; i += 1) {
    await retireEnvironments(server.client, name, i);
    const sentAt = performance.now();
    const { status, head, body } = await connection.send(request);
    const elapsedMs = performance.now() - sentAt;
    if (status !== 200) throw new Error(`Cannot measure: ${head}\n${body.toString('utf8')}`);
    const init = initDurationMs(head);
    if (init === undefined) throw new Error(`Cannot measure as no environment was new: ${head}`);
    if (i === 0) continue;
    clientMs.push(elapsedMs);
    initMs.push(init);
  }
  const figure = (what: string, samples: number[], share: number): Figure => ({
    name: `cold-start/${name}/${what}-p${share * 100}`,
    value: percentile(samples, share),
    unit: 'ms',
    samples: samples.length,
  });
  return [
    figure('client', clientMs, 0.5),
    figure('client', clientMs, 0.95),
    figure('init', initMs, 0.5),
    figure('init', initMs, 0.95),
  ];
}

/** A changed configuration never meets an old environment. */
async function retireEnvironments(
  client: LambdaClient,
  name: string,
  round: number,
): Promise<void> {
  await client.send(
    new UpdateFunctionConfigurationCommand({
      FunctionName: name,
      Environment: { Variables: { ROUND: String(round) } },
    }),
  );
  await untilActive(client, name);
}

/** Init Duration of the REPORT line that the answer carries; undefined where the environment was warm. */
function initDurationMs(head: string): number | undefined {
  const encoded = /\r\nx-amz-log-result: *(\S+)/i.exec(head)?.[1] ?? '';
  const found = /Init Duration: ([\d.]+) ms/.exec(Buffer.from(encoded, 'base64').toString('utf8'));
  return found === null ? undefined : Number(found[1]);
}
