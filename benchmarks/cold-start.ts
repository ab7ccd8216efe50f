import { type LambdaClient, UpdateFunctionConfigurationCommand } from '@aws-sdk/client-lambda';

import { readHealth } from '../scripts/health.ts';
import {
  createFunction,
  invokeRequest,
  startBenchServer,
  untilActive,
  type BenchServer,
} from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { untilEnvironments } from './environment-list.ts';
import { HttpConnection } from './http-connection.ts';
import { percentile } from './percentile.ts';
import {
  type FirstLine,
  nodeS3Subject,
  nodeSubject,
  pythonSubject,
  type Subject,
} from './subjects.ts';

const SAMPLES = 30;
/** They pay for code that the server runs for the first time, and fill its caches: left out. */
const WARM_UP_ROUNDS = 3;
const LIMIT_MS = 20_000;
const WORKERS = 2;

const PATHS = [
  { path: 'pooled', settings: ['--prewarm', String(WORKERS)], workers: WORKERS },
  { path: 'direct', settings: ['--prewarm', '0'], workers: 0 },
] as const;

/** The three parts of a cold start, and what the caller sees of it. */
type Sample = Readonly<
  Record<'first-line' | 'allocation' | 'setup' | 'init' | 'rest' | 'client', number>
>;

/** From the request to the first line of the handler in a new execution environment. */
export const coldStart: Benchmark = {
  name: 'cold-start',
  what: "a new environment's first event, until the handler's first line, from the pool and without",
  run: async (note, isWanted) => {
    const subjects = [nodeSubject(), await nodeS3Subject(), pythonSubject()];
    const figures: Figure[] = [];
    for (const { path, settings, workers } of PATHS) {
      for (const subject of subjects) {
        if (!isWanted(`${path}/${subject.name}`)) continue;
        await using server = await startBenchServer(settings);
        const health = await readHealth(server.endpoint);
        const interpreter = health.interpreterVersion(subject.runtime);
        if (interpreter === undefined) {
          note(`${subject.name} is left out: nothing on this machine runs ${subject.runtime}`);
          continue;
        }
        note(`${path}, ${subject.name}: ${subject.runtime} on ${interpreter}`);
        await createFunction(server.client, subject);
        figures.push(...(await measure(server, subject, path, workers)));
      }
    }
    return figures;
  },
};

async function measure(
  server: BenchServer,
  subject: Subject,
  path: 'pooled' | 'direct',
  workers: number,
): Promise<Figure[]> {
  const samples: Sample[] = [];
  const giveUpAt = performance.now() + LIMIT_MS;
  using connection = await HttpConnection.open(server.endpoint);
  for (let i = -WARM_UP_ROUNDS; i < SAMPLES && performance.now() < giveUpAt; i += 1) {
    await retireEnvironments(server.client, subject.name, i);
    await untilEnvironments(
      server.endpoint,
      `no environment and ${workers} workers`,
      ({ environments, readyWorkers }) => environments.length === 0 && readyWorkers >= workers,
    );
    const sample = await coldStartOf(server, connection, subject, path);
    if (i >= 0) samples.push(sample);
    // What the first ones leave for later ones is on its way until then.
    await untilEnvironments(server.endpoint, 'a frozen environment', ({ environments }) =>
      environments.every(({ state }) => state.kind === 'frozen'),
    );
  }
  const figure = (what: keyof Sample, share: number): Figure => ({
    name: `cold-start/${path}/${subject.name}/${what}-p${share * 100}`,
    value: percentile(
      samples.map((sample) => sample[what]),
      share,
    ),
    unit: 'ms',
    samples: samples.length,
  });
  return [
    // What the machine can do when nothing else runs on it.
    figure('first-line', 0.1),
    figure('first-line', 0.5),
    figure('first-line', 0.95),
    ...(['allocation', 'setup', 'init', 'rest', 'client'] as const).map((what) =>
      figure(what, 0.5),
    ),
  ];
}

async function coldStartOf(
  server: BenchServer,
  connection: HttpConnection,
  { name }: Subject,
  path: 'pooled' | 'direct',
): Promise<Sample> {
  const request = invokeRequest(server.endpoint, name, '{}');
  const sentNs = process.hrtime.bigint();
  const { status, head, body } = await connection.send(request);
  const answeredNs = process.hrtime.bigint();
  const answer = body.toString('utf8');
  if (status !== 200 || /\r\nx-amz-function-error:/i.test(head)) {
    throw new Error(`Cannot measure: ${head}\n${answer}`);
  }
  const { firstLineNs }: FirstLine = JSON.parse(answer);
  const { environments } = await untilEnvironments(
    server.endpoint,
    'one environment',
    (list) => list.environments.length === 1,
  );
  const phases = environments[0]?.coldStart;
  if (phases?.path !== path) {
    throw new Error(`Cannot measure as the environment must be ${path}: it is ${phases?.path}`);
  }
  const firstLine = milliseconds(BigInt(firstLineNs) - sentNs);
  const { allocationMs, setupMs, initMs } = phases;
  return {
    'first-line': firstLine,
    allocation: allocationMs,
    setup: setupMs,
    init: initMs,
    // The way to the server, and from it into the handler.
    rest: firstLine - allocationMs - setupMs - initMs,
    client: milliseconds(answeredNs - sentNs),
  };
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

function milliseconds(nanoseconds: bigint): number {
  return Number(nanoseconds) / 1e6;
}
