import { setTimeout as delay } from 'node:timers/promises';

import { createFunction, invokeRequest, startBenchServer } from './bench-server.ts';
import type { Benchmark, Figure } from './benchmark.ts';
import { startEchoServer } from './echo-server.ts';
import { untilEnvironments } from './environment-list.ts';
import { HttpConnection, httpRequest } from './http-connection.ts';
import { percentile } from './percentile.ts';

const SAMPLES = 400;
const WARM_UP = 100;
/** Shorter than the grace time, after which an idle environment is frozen, and longer. */
const AWAKE_GAP_MS = 2;
const FROZEN_GAP_MS = 15;

/** What it adds to an event that the environment was frozen before it. */
export const freezeThaw: Benchmark = {
  name: 'freeze-thaw',
  what: 'an event after a pause in which its environment was frozen, against one after a shorter pause',
  run: async (note) => {
    await using server = await startBenchServer();
    await using echo = await startEchoServer();
    await createFunction(server.client, {
      name: 'echo',
      runtime: 'nodejs24.x',
      file: 'index.js',
      source: 'exports.handler = async (event) => event;\n',
    });
    using hearth = await HttpConnection.open(server.endpoint);
    using bare = await HttpConnection.open(echo.endpoint);
    const invoke = invokeRequest(server.endpoint, 'echo', '{}');
    const call = httpRequest('POST', echo.endpoint, '/', [], '{}');
    const times = { awake: [] as number[], frozen: [] as number[] };
    const bareTimes = { awake: [] as number[], frozen: [] as number[] };
    await hearth.send(invoke);
    await untilEnvironments(server.endpoint, 'a frozen environment', ({ environments }) =>
      environments.every(({ state }) => state.kind === 'frozen'),
    );
    // In turn, so that what else the machine does falls on all of them.
    for (let i = -WARM_UP; i < SAMPLES; i += 1) {
      for (const [kind, gapMs] of GAPS) {
        const sample = await after(gapMs, hearth, invoke);
        const bareSample = await after(gapMs, bare, call);
        if (i < 0) continue;
        times[kind].push(sample);
        bareTimes[kind].push(bareSample);
      }
    }
    note('the pause itself costs the echo server time, too: added-net is without it');
    const added = median(times.frozen) - median(times.awake);
    const bareAdded = median(bareTimes.frozen) - median(bareTimes.awake);
    return [
      figure('awake-p50', median(times.awake)),
      figure('frozen-p50', median(times.frozen)),
      figure('added', added),
      figure('echo-added', bareAdded),
      figure('added-net', added - bareAdded),
    ];
  },
};

function figure(name: string, value: number): Figure {
  return { name: `freeze-thaw/${name}`, value, unit: 'ms', samples: SAMPLES };
}

const GAPS = [
  ['awake', AWAKE_GAP_MS],
  ['frozen', FROZEN_GAP_MS],
] as const;

/** How long the second of two requests takes that are this far apart. */
async function after(
  gapMs: number,
  connection: HttpConnection,
  request: Uint8Array,
): Promise<number> {
  await connection.send(request);
  await delay(gapMs);
  const sentAt = performance.now();
  const { status, head } = await connection.send(request);
  if (status !== 200) throw new Error(`Cannot measure: ${head}`);
  return performance.now() - sentAt;
}

function median(values: readonly number[]): number {
  return percentile(values, 0.5);
}
