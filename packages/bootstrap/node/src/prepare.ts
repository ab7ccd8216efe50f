import { closeSync, openSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { currentEnvironment } from './environment.ts';
import type { InitHeader } from './protocol.ts';
import { recordProcessState } from './process-state.ts';
import { rehearse, type RehearsalPlan } from './rehearsal.ts';

/** Where V8's compilers and caches have settled; measured. */
const ROUNDS = 3;
const EVENTS_PER_ROUND = 2;

/** What the clients of AWS's SDK load, and what most functions load. */
const PRELOADED = [
  'async_hooks',
  'buffer',
  'child_process',
  'crypto',
  'dns',
  'events',
  'fs',
  'fs/promises',
  'http',
  'http2',
  'https',
  'net',
  'os',
  'path',
  'perf_hooks',
  'process',
  'querystring',
  'stream',
  'stream/promises',
  'string_decoder',
  'timers/promises',
  'tls',
  'url',
  'util',
  'zlib',
] as const;

/**
 * Makes a process that has no function yet quick for whichever it will get, and leaves nothing behind
 * that the function could see. Where it fails, the process is slower and otherwise the same.
 */
export async function prepare(): Promise<void> {
  const restore = recordProcessState();
  const sinkFd = openSync('/dev/null', 'w');
  try {
    preload();
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const plan of plans(round)) {
        await rehearse(plan, sinkFd);
        restore();
      }
    }
  } catch {
    // Such as a folder that cannot be read: what is left to warm is warmed by the function.
  } finally {
    restore();
    closeSync(sinkFd);
  }
}

function preload(): void {
  const load = createRequire('/var/runtime/index.mjs');
  const { stderr } = Object.getOwnPropertyDescriptors(process);
  // `http2` asks it for colours: a stream that is opened for that would be seen.
  if (stderr !== undefined) {
    Object.defineProperty(process, 'stderr', { ...stderr, get: () => NO_TERMINAL });
  }
  try {
    for (const name of PRELOADED) load(`node:${name}`);
  } finally {
    if (stderr !== undefined) Object.defineProperty(process, 'stderr', stderr);
  }
}

const NO_TERMINAL = { isTTY: false };

function plans(round: number): RehearsalPlan[] {
  const taskRoot = join(__dirname, 'warm-up');
  const runtime = round % 2 === 0 ? 'nodejs22.x' : 'nodejs24.x';
  const init: InitHeader = {
    handler: 'index.asynchronous',
    taskRoot,
    runtime,
    environment: {
      ...currentEnvironment(),
      AWS_LAMBDA_NODEJS_DISABLE_CALLBACK_WARNING: '1',
      AWS_LAMBDA_LOG_FORMAT: round % 3 === 2 ? 'JSON' : 'Text',
      NODE_PATH: `/opt/nodejs/node_modules:${round}`,
    },
    functionName: 'rehearsal',
    functionVersion: '$LATEST',
    memoryLimitInMB: '128',
    logGroupName: '/aws/lambda/rehearsal',
    logStreamName: '2026/01/01/[$LATEST]00000000000000000000000000000000',
    warnings: [],
  };
  const handlers = ['index.asynchronous', 'index.throwing', 'index.streaming'];
  if (runtime === 'nodejs22.x') handlers.push('index.callback');
  // What an ES module leaves cannot be removed: once.
  if (round === 0) handlers.push('module.handler');
  return handlers.map((handler) => ({ init: { ...init, handler }, events: EVENTS_PER_ROUND }));
}
