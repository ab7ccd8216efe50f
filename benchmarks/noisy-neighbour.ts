import {
  createFunction,
  invokeRequest,
  startBenchServer,
  type BenchServer,
} from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { HttpConnection } from './http-connection.ts';
import { putLoad, type Load } from './load.ts';
import { NOISES, type Noise } from './noises.ts';

const PAYLOAD = '{"name":"small"}';
/** Beside each noise, and alone just before it, so that both see the same machine; under a minute. */
const NOISY_MS = 2_500;
const ALONE_MS = 1_500;
/** As many as there is time for. */
const REQUESTS = 100_000;

/** What a function feels of others that exhaust whatever they can. */
export const noisyNeighbour: Benchmark = {
  name: 'noisy-neighbour',
  what: 'a small function alone, and beside one that exhausts memory, CPU, disk, log …',
  run: async (note) => {
    await using server = await startBenchServer();
    await createFunction(server.client, {
      name: 'small',
      runtime: 'nodejs24.x',
      file: 'index.js',
      source: 'exports.handler = async (event) => event;\n',
    });
    for (const { name, source } of NOISES) {
      await createFunction(server.client, {
        name,
        runtime: 'nodejs24.x',
        file: 'index.js',
        source,
        memoryMb: 512,
        timeoutSeconds: 2,
      });
    }
    await measure(server, ALONE_MS);
    const figures: Figure[] = [];
    for (const noise of NOISES) {
      const alone = await measure(server, ALONE_MS);
      const noisy = await beside(server, noise);
      figures.push(
        ...figuresOf(`${noise.name}/alone`, alone),
        ...figuresOf(`${noise.name}/noisy`, noisy),
        figure(`${noise.name}/p50-ratio`, noisy.p50Us / alone.p50Us, '×', noisy.requests),
        figure(`${noise.name}/p99-ratio`, noisy.p99Us / alone.p99Us, '×', noisy.requests),
      );
      note(`noisy-neighbour: ${noise.name} (${noise.what}) done`);
    }
    return figures;
  },
};

/** The noise runs, again and again, while the small function is measured. */
async function beside(server: BenchServer, { name }: Noise): Promise<Load> {
  using connection = await HttpConnection.open(server.endpoint);
  const request = invokeRequest(server.endpoint, name, '{}');
  const state = { running: true };
  const noise = (async () => {
    while (state.running) {
      const { status, head } = await connection.send(request);
      if (status !== 200) throw new Error(`Cannot make noise: ${head}`);
    }
  })();
  try {
    return await measure(server, NOISY_MS);
  } finally {
    state.running = false;
    await noise;
  }
}

function measure({ endpoint }: BenchServer, limitMs: number): Promise<Load> {
  const request = invokeRequest(endpoint, 'small', PAYLOAD);
  return putLoad({ endpoint, request, clients: 1, requests: REQUESTS, limitMs });
}

function figuresOf(stage: string, load: Load): Figure[] {
  return [
    figure(`${stage}/p50`, load.p50Us, 'µs', load.requests),
    figure(`${stage}/p99`, load.p99Us, 'µs', load.requests),
  ];
}

function figure(name: string, value: number, unit: string, samples: number): Figure {
  return { name: `noisy-neighbour/${name}`, value, unit, samples };
}
