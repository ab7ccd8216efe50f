import { createFunction, invokeRequest, startBenchServer } from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { startEchoServer } from './echo-server.ts';
import { httpRequest } from './http-connection.ts';
import { putLoad, type Load, type LoadOptions } from './load.ts';

const PAYLOAD = '{"name":"warm"}';
const STAGES = [
  { clients: 1, requests: 4_000 },
  { clients: 8, requests: 16_000 },
  { clients: 32, requests: 32_000 },
];
/** Enough for the compiler to have seen the hot path. */
const WARM_UP_REQUESTS = 4_000;
const LIMIT_MS = 8_000;

/** A function that gives back its event, with a bare HTTP server in the same run to compare with. */
export const warmInvoke: Benchmark = {
  name: 'warm-invoke',
  what: 'Invoke of a warm function by 1, 8 and 32 clients, and its ratio to a bare node:http echo',
  run: async (note) => {
    await using server = await startBenchServer();
    await using echo = await startEchoServer();
    await createFunction(server.client, {
      name: 'echo',
      runtime: 'nodejs24.x',
      file: 'index.js',
      source: 'exports.handler = async (event) => event;\n',
    });
    const hearth = {
      endpoint: server.endpoint,
      request: invokeRequest(server.endpoint, 'echo', PAYLOAD),
    };
    const bare = {
      endpoint: echo.endpoint,
      request: httpRequest('POST', echo.endpoint, '/', [], PAYLOAD),
    };
    const figures: Figure[] = [];
    for (const { clients, requests } of STAGES) {
      const stage = { clients, requests, limitMs: LIMIT_MS };
      const load = await warmThenMeasure({ ...hearth, ...stage });
      const reference = await warmThenMeasure({ ...bare, ...stage });
      figures.push(...toFigures(`${clients}-client${clients === 1 ? '' : 's'}`, load, reference));
      note(`warm-invoke: ${clients} of up to ${STAGES.at(-1)?.clients} clients done`);
    }
    return figures;
  },
};

async function warmThenMeasure(options: LoadOptions): Promise<Load> {
  await putLoad({ ...options, requests: WARM_UP_REQUESTS, limitMs: LIMIT_MS / 2 });
  return await putLoad(options);
}

function toFigures(stage: string, load: Load, reference: Load): Figure[] {
  const figure = (name: string, value: number, unit: string, samples: number): Figure => ({
    name: `warm-invoke/${stage}/${name}`,
    value,
    unit,
    samples,
  });
  return [
    figure('p50', load.p50Us, 'µs', load.requests),
    figure('p99', load.p99Us, 'µs', load.requests),
    figure('throughput', load.requestsPerSecond, 'requests/s', load.requests),
    figure('echo-p50', reference.p50Us, 'µs', reference.requests),
    figure('echo-throughput', reference.requestsPerSecond, 'requests/s', reference.requests),
    figure('p50-to-echo', load.p50Us / reference.p50Us, '×', load.requests),
    figure(
      'throughput-to-echo',
      load.requestsPerSecond / reference.requestsPerSecond,
      '×',
      load.requests,
    ),
  ];
}
