import { invokeRequest } from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { untilEnvironments } from './environment-list.ts';
import { HttpConnection } from './http-connection.ts';
import { memoryOf, memoryOfDescendants } from './process-memory.ts';
import { startedAhead } from './started-ahead.ts';
import type { Subject } from './subjects.ts';

/** Enough for what they share to be small for each. */
const ENVIRONMENTS = 40;
const BYTES_PER_MB = 1_048_576;
const HOLD_MS = 500;

/** Memory that idle environments really hold, with what the server holds for them. */
export const density: Benchmark = {
  name: 'density',
  what: 'idle environments per GB, by the memory that they and the server hold for them',
  run: async (note, isWanted) => {
    const figures: Figure[] = [];
    const starts = startedAhead(ENVIRONMENTS, HOLD_MS, note, isWanted);
    for await (const { server, subject, path, workers } of starts) {
      figures.push(...(await measure(server, subject, path, workers)));
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
