// npm start: the real server with the functions of examples/ on it.
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { LambdaClient, ListFunctionsCommand } from '@aws-sdk/client-lambda';
import Table from 'cli-table3';
import pc from 'picocolors';

import { readHealth, type Health } from '../health.ts';
import { ServerExit, startServerProcess, type ServerProcess } from '../server-process.ts';
import { deploy } from './deploy.ts';
import { readExamples, type Example } from './example.ts';
import { howToCall } from './how-to-call.ts';
import { measure } from './measure.ts';
import { untilWorkersAreReady } from './ready-workers.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const SKIPPED = 'skipped';
const FAILED = 'failed';
const stopRequested = Promise.withResolvers<void>();
let stopping = false;
// Stays in place: a terminal and npm each send their own signal, and the server ends once.
for (const event of ['SIGINT', 'SIGTERM', 'SIGHUP', 'disconnect']) {
  process.on(event, () => {
    stopping = true;
    stopRequested.resolve();
  });
}
// Listening to its end must not keep this process alive.
process.channel?.unref();

process.exitCode = await main();

async function main(): Promise<number> {
  const server = await start();
  if (typeof server === 'number') return server;
  const work = showExamples(server.endpoint).catch((error: unknown) => {
    if (!stopping) print(pc.red(`The examples could not be shown: ${messageOf(error)}`));
  });
  const ended = await Promise.race([server.exited, stopRequested.promise]);
  if (ended !== undefined) return ended;
  print('Stopping');
  const exitCode = await server.stop();
  await work;
  return exitCode;
}

/** The server, or the code that it ended with. */
async function start(): Promise<ServerProcess | number> {
  try {
    return await startServerProcess({
      args: process.argv.slice(2),
      env: {
        ...process.env,
        HEARTH_DATA_DIR: process.env['HEARTH_DATA_DIR'] ?? join(root, '.hearth'),
      },
      errorOutput: 'inherit',
      onLine: print,
    });
  } catch (error) {
    if (error instanceof ServerExit) return error.exitCode;
    throw error;
  }
}

async function showExamples(endpoint: string): Promise<void> {
  print(`hearth ready ${endpoint}`);
  const health = await readHealth(endpoint);
  const client = new LambdaClient({
    endpoint,
    region: health.region,
    credentials: { accessKeyId: 'test', secretAccessKey: 'test' },
    maxAttempts: 1,
  });
  // The client's own first call is slow; that is not the server's doing.
  await client.send(new ListFunctionsCommand({}));
  const table = new Table({
    head: ['function', 'runtime', 'cold ms', 'warm ms', ''],
    colAligns: ['left', 'left', 'right', 'right', 'left'],
    style: { head: process.stdout.isTTY ? ['bold'] : [], border: [], compact: true },
  });
  const examples = await readExamples(join(root, 'examples'));
  const deployments = new Map<Example, string>();
  for (const example of examples) {
    if (stopping) return;
    deployments.set(example, await deployment(client, health, example));
  }
  let hasWorkers = true;
  for (const example of examples) {
    if (stopping) return;
    hasWorkers &&= await untilWorkersAreReady(endpoint);
    table.push(await row(client, example, deployments.get(example) ?? ''));
  }
  print(`\n${table.toString()}`);
  print(
    'cold: first invocation since the start, warm: median of the next nine,\nboth as the client sees them\n',
  );
  print(howToCall(endpoint, health.region));
  print('\nServing until Ctrl-C');
  client.destroy();
}

/** `created`, `updated` …, or why there is no function to be called. */
async function deployment(client: LambdaClient, health: Health, example: Example): Promise<string> {
  if (health.interpreterVersion(example.runtime) === undefined) {
    return `${SKIPPED}: nothing here runs it`;
  }
  try {
    return await deploy(client, example, health.accountId);
  } catch (error) {
    return `${FAILED}: ${messageOf(error)}`;
  }
}

async function row(client: LambdaClient, example: Example, deployed: string): Promise<string[]> {
  const { functionName, runtime, what } = example;
  if (deployed.startsWith(SKIPPED) || deployed.startsWith(FAILED)) {
    return [functionName, runtime, '-', '-', deployed];
  }
  try {
    const { coldMs, warmMs } = await measure(client, example);
    const note = isWide() ? `${deployed}: ${what}` : deployed;
    return [functionName, runtime, coldMs.toFixed(1), warmMs.toFixed(1), note];
  } catch (error) {
    return [functionName, runtime, '-', '-', `${FAILED}: ${messageOf(error)}`];
  }
}

/** A table that is wider than the terminal is none. */
function isWide(): boolean {
  return (process.stdout.columns ?? 80) >= 120;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}
