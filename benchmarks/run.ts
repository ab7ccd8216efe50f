// npm run bench -- NAME … [--only PART] [--json]: measures the real server. Without a name, tells the
// names. PART is the start of the parts to measure, such as `pooled/node`.
import { parseArgs } from 'node:util';

import Table from 'cli-table3';

import type { Benchmark, Figure } from './benchmark.ts';
import { burst } from './burst.ts';
import { coldStart } from './cold-start.ts';
import { density } from './density.ts';
import { freezeThaw } from './freeze-thaw.ts';
import { javaColdStart } from './java-cold-start.ts';
import { noisyNeighbour } from './noisy-neighbour.ts';
import { warmInvoke } from './warm-invoke.ts';

const BENCHMARKS: readonly Benchmark[] = [
  coldStart,
  javaColdStart,
  burst,
  freezeThaw,
  density,
  noisyNeighbour,
  warmInvoke,
];

let interrupted = false;
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
  process.on(signal, () => {
    interrupted = true;
  });
}

try {
  process.exitCode = await main();
} catch (error) {
  note(interrupted ? 'interrupted' : messageOf(error));
  process.exitCode = interrupted ? 130 : 1;
}

async function main(): Promise<number> {
  const options = parseOptions();
  if (options === undefined) return 2;
  if (options.benchmarks.length === 0) {
    for (const { name, what } of BENCHMARKS) process.stdout.write(`${name}: ${what}\n`);
  }
  for (const benchmark of options.benchmarks) {
    note(`${benchmark.name}: ${benchmark.what}`);
    const figures = await benchmark.run(note, (part) => part.startsWith(options.only));
    if (options.json) for (const figure of figures) process.stdout.write(`${toJson(figure)}\n`);
    else note(toTable(figures));
  }
  return 0;
}

function parseOptions():
  | { benchmarks: readonly Benchmark[]; only: string; json: boolean }
  | undefined {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: {
        json: { type: 'boolean', default: false },
        only: { type: 'string', default: '' },
      },
    });
    return { benchmarks: positionals.map(find), only: values.only, json: values.json };
  } catch (error) {
    note(messageOf(error));
    return undefined;
  }
}

function find(name: string): Benchmark {
  const found = BENCHMARKS.find((benchmark) => benchmark.name === name);
  if (found !== undefined) return found;
  const names = BENCHMARKS.map((benchmark) => benchmark.name).join(', ');
  throw new Error(`Cannot run ${name} as a benchmark must be one of ${names}`);
}

function toJson(figure: Figure): string {
  return JSON.stringify({ ...figure, value: rounded(figure.value) });
}

function toTable(figures: readonly Figure[]): string {
  const table = new Table({
    head: ['figure', 'value', 'unit', 'samples'],
    colAligns: ['left', 'right', 'left', 'right'],
    style: { head: [], border: [] },
  });
  for (const { name, value, unit, samples } of figures) {
    table.push([name, String(rounded(value)), unit, String(samples ?? '')]);
  }
  return table.toString();
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** Three digits are more than two runs have in common. */
function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

function note(line: string): void {
  process.stderr.write(`${line}\n`);
}
