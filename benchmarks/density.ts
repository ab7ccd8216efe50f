import { readHealth } from '../scripts/health.ts';
import { createFunction, invokeRequest, startBenchServer } from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { untilEnvironments } from './environment-list.ts';
import { HttpConnection } from './http-connection.ts';
import { memoryOf, memoryOfDescendants } from './process-memory.ts';
import { nodeSubject, pythonSubject, type Subject } from './subjects.ts';

/** Enough for what they share to be small for each. */
const ENVIRONMENTS = 40;
const WORKER_MEMORY_MB = 16_384;
const BYTES_PER_MB = 1_048_576;
const HOLD_MS = 500;

const PATHS = [
  { path: 'pooled', workers: ENVIRONMENTS },
  { path: 'direct', workers: 0 },
] as const;

/** Memory that idle environments really hold, with what the server holds for them. */
export const density: Benchmark = {
  name: 'density',
  what: 'idle environments per GB, by the memory that they and the server hold for them',
  run: async (note, isWanted) => {
    const figures: Figure[] = [];
    for (const { path, workers } of PATHS) {
      for (const subject of [nodeSubject(HOLD_MS), pythonSubject(HOLD_MS)]) {
        if (!isWanted(`${path}/${subject.name}`)) continue;
        await using server = await startBenchServer([
          '--prewarm',
          String(workers),
          '--prewarm-memory-mb',
          String(WORKER_MEMORY_MB),
        ]);
        const health = await readHealth(server.endpoint);
        if (health.interpreterVersion(subject.runtime) === undefined) {
          note(`${subject.name} is left out: nothing on this machine runs ${subject.runtime}`);
          continue;
        }
        note(`${path}, ${subject.name}`);
        await createFunction(server.client, subject);
        figures.push(...(await measure(server, subject, path, workers)));
      }
    }
    return figures;
  },
};

async function measure(
  { endpoint, pid }: { readonly endpoint: string; readonly pid: number },
  { name }: Subject,
  path: string,
  workers: number,
): Promise<Figure[]> {
  const serverBefore = await memoryOf([pid]);
  await untilEnvironments(
    endpoint,
    `${workers} workers`,
    ({ readyWorkers }) => readyWorkers >= workers,
  );
  using stack = new DisposableStack();
  const connections = await Promise.all(
    Array.from({ length: ENVIRONMENTS }, () => HttpConnection.open(endpoint)),
  );
  for (const connection of connections) stack.use(connection);
  const request = invokeRequest(endpoint, name, '{}');
  const answers = connections.map(async (connection) => {
    const { status, head } = await connection.send(request);
    if (status !== 200) throw new Error(`Cannot measure: ${head}`);
  });
  await Promise.all(answers);
  // The pool fills up again: both kinds of processes are idle ones, and both are counted.
  const { environments, readyWorkers } = await untilEnvironments(
    endpoint,
    `${ENVIRONMENTS} idle environments and ${workers} workers`,
    (list) =>
      list.environments.length === ENVIRONMENTS &&
      list.readyWorkers >= workers &&
      list.environments.every(({ state }) => state.kind === 'frozen' || state.kind === 'ready'),
  );
  const idle = environments.length + readyWorkers;
  const guests = await memoryOfDescendants(pid);
  const serverAfter = await memoryOf([pid]);
  const ofServer = Math.max(0, serverAfter.proportional - serverBefore.proportional) / idle;
  const each = guests.proportional / idle + ofServer;
  const figure = (what: string, value: number, unit: string): Figure => ({
    name: `density/${path}/${name}/${what}`,
    value,
    unit,
    samples: idle,
  });
  return [
    figure('environments-per-gb', (1_024 * BYTES_PER_MB) / each, ''),
    figure('each', each / BYTES_PER_MB, 'MB'),
    figure('each-private', guests.private / idle / BYTES_PER_MB, 'MB'),
    figure('each-in-server', ofServer / BYTES_PER_MB, 'MB'),
    figure('processes-each', guests.processes / idle, ''),
  ];
}
