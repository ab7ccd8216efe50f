import { invokeRequest } from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { untilEnvironments } from './environment-list.ts';
import { HttpConnection } from './http-connection.ts';
import { percentile } from './percentile.ts';
import { startedAhead } from './started-ahead.ts';
import type { FirstLine, Subject } from './subjects.ts';

const EVENTS = 100;
/** So that an environment that is early does not take a second event. */
const HOLD_MS = 200;

/** Events that arrive together, each of which needs a new execution environment. */
export const burst: Benchmark = {
  name: 'burst',
  what: `${EVENTS} simultaneous cold starts, until the handler's first line, from the pool and without`,
  run: async (note, isWanted) => {
    const figures: Figure[] = [];
    const starts = startedAhead(EVENTS, HOLD_MS, note, isWanted);
    for await (const { server, subject, path, workers } of starts) {
      await untilEnvironments(
        server.endpoint,
        `${workers} workers`,
        ({ readyWorkers }) => readyWorkers >= workers,
      );
      figures.push(...(await measure(server.endpoint, subject, path)));
    }
    return figures;
  },
};

async function measure(endpoint: string, { name }: Subject, path: string): Promise<Figure[]> {
  using stack = new DisposableStack();
  const connections = await Promise.all(
    Array.from({ length: EVENTS }, () => HttpConnection.open(endpoint)),
  );
  for (const connection of connections) stack.use(connection);
  const request = invokeRequest(endpoint, name, '{}');
  const sentNs = process.hrtime.bigint();
  const answers = await Promise.all(connections.map((connection) => connection.send(request)));
  const lines = answers.map(({ status, head, body }): FirstLine => {
    if (status !== 200 || /\r\nx-amz-function-error:/i.test(head)) {
      throw new Error(`Cannot measure: ${head}\n${body.toString('utf8')}`);
    }
    return JSON.parse(body.toString('utf8'));
  });
  const environments = new Set(lines.map(({ logStreamName }) => logStreamName)).size;
  if (environments !== EVENTS) {
    throw new Error(
      `Cannot measure as there must be ${EVENTS} environments: there were ${environments}`,
    );
  }
  const times = lines.map(({ firstLineNs }) => Number(BigInt(firstLineNs) - sentNs) / 1e6);
  const figure = (what: string, share: number): Figure => ({
    name: `burst/${path}/${name}/${what}`,
    value: percentile(times, share),
    unit: 'ms',
    samples: times.length,
  });
  return [figure('first-line-p50', 0.5), figure('last-first-line', 1)];
}
