import type { CodeCacheStore } from '../artifacts/code-cache-store.ts';
import { ManualClock } from '../clock/manual-clock.ts';
import type { FunctionVersion } from '../domain/function.ts';
import type { Invocation, Outcome } from '../domain/invocation.ts';
import type { LogEvent, LogStore } from '../logs/log-store.ts';
import { encodeFrame, FRAME, FrameDecoder, type Frame } from '../runtime-api/framed/frame-codec.ts';
import { createFakeDriver, type FakeGuest } from '../sandbox/fake/fake-driver.ts';
import { EnvironmentEvents } from './environment/environment-events.ts';
import { EnvironmentPool } from './environment-pool.ts';
import { IdleFreezer } from './environment/idle-freezer.ts';
import { RuntimeLauncher } from './launch/runtime-launcher.ts';
import { StartGate } from './workers/start-gate.ts';
import { WorkerPool } from './workers/worker-pool.ts';

/** Plays a runtime process: what it does with INIT and with each event. */
export interface PlayedRuntime {
  /** Told what INIT says. */
  onInitHeader?(header: Frame['header']): void;
  onInit?(guest: FakeGuest, send: Send): void;
  onInvoke?(guest: FakeGuest, send: Send, requestId: string): void;
}

export type Send = (type: number, header: object, payload?: Uint8Array) => void;

export interface PoolUnderTest extends AsyncDisposable {
  readonly clock: ManualClock;
  readonly pool: EnvironmentPool;
  readonly workers: WorkerPool;
  readonly events: EnvironmentEvents;
  /** Every process that was started, in order. */
  readonly guests: FakeGuest[];
  /** Sandboxes that were made and those that are gone. */
  readonly made: string[];
  readonly disposed: string[];
  /** Messages of the log in order. */
  readonly log: string[];
  readonly faults: string[];
  /** Of each environment that there is. */
  states(): string[];
  /** Settles when the log holds a line that begins so. */
  logged(start: string): Promise<void>;
  invoke(version?: FunctionVersion, over?: Partial<Invocation>): Promise<Outcome>;
}

export const KEEP_ALIVE_MS = 60_000;
export const MAX_LIFETIME_MS = 600_000;
export const FREEZE_GRACE_MS = 5;

export interface PoolOptions {
  /** Workers kept ready. */
  readonly prewarm?: number;
  readonly prewarmMemoryMb?: number;
  /** Compiled code of functions; none where left out. */
  readonly codeCaches?: CodeCacheStore;
  /** Merged layers of every function. */
  readonly layerFolder?: string;
}

/**
 * A pool over played processes and a clock that stands still. `runtime` plays what is started; it
 * gives undefined for a process that is no runtime.
 */
export function startPool(
  runtime: (start: number, guest: FakeGuest) => PlayedRuntime | undefined,
  { prewarm = 0, prewarmMemoryMb = 512, codeCaches, layerFolder }: PoolOptions = {},
): PoolUnderTest {
  const clock = new ManualClock();
  const guests: FakeGuest[] = [];
  const made: string[] = [];
  const disposed: string[] = [];
  const log: string[] = [];
  const faults: string[] = [];
  const waiting = new Set<() => void>();
  const driver = createFakeDriver({
    onCreate: (spec) => void made.push(spec.environmentId),
    onStart: (guest) => {
      guests.push(guest);
      const played = runtime(guests.length, guest);
      if (played !== undefined) play(guest, played);
    },
    onDispose: (spec) => void disposed.push(spec.environmentId),
  });
  const startGate = new StartGate(2);
  const reportFault = (what: string, cause: unknown): void =>
    void faults.push(`${what}: ${String(cause)}`);
  const workers = new WorkerPool({
    driver,
    clock,
    startGate,
    acceptFromFunction: (socket) => void socket.destroy(),
    minimum: prewarm,
    memoryMb: prewarmMemoryMb,
    reportFault,
  });
  const events = new EnvironmentEvents();
  const pool = new EnvironmentPool(
    {
      driver,
      clock,
      workers,
      codeCaches,
      events,
      freezer: new IdleFreezer(clock, FREEZE_GRACE_MS),
      functionEndpoint: undefined,
      acceptFromFunction: (socket) => void socket.destroy(),
      launcher: launcher(layerFolder),
      logStore: logStore((event) => {
        log.push(event.message);
        for (const check of waiting) check();
      }),
      startGate,
      endpoint: () => 'http://127.0.0.1:4566',
      hostPath: undefined,
      reportFault,
    },
    { keepAliveMs: KEEP_ALIVE_MS, maxLifetimeMs: MAX_LIFETIME_MS },
  );
  let requests = 0;
  return {
    clock,
    pool,
    workers,
    events,
    guests,
    made,
    disposed,
    log,
    faults,
    states: () => [...pool.environments()].map(({ state }) => state.kind),
    logged: (start) =>
      new Promise((resolve) => {
        const check = (): void => {
          if (!log.some((message) => message.startsWith(start))) return;
          waiting.delete(check);
          resolve();
        };
        waiting.add(check);
        check();
      }),
    invoke: (version = testVersion(), over = {}) =>
      pool.take(version).invoke({
        requestId: `request-${++requests}`,
        payload: Buffer.from('{}'),
        invokedFunctionArn: 'arn',
        ...over,
      }),
    [Symbol.asyncDispose]: async () => {
      await passingTime(clock, pool[Symbol.asyncDispose]());
      await workers[Symbol.asyncDispose]();
      await driver[Symbol.asyncDispose]();
    },
  };
}

/** Lets the time of a shutdown pass, which extensions are given. */
async function passingTime(clock: ManualClock, work: Promise<void>): Promise<void> {
  const progress = { settled: false };
  const done = work.finally(() => {
    progress.settled = true;
  });
  while (!progress.settled) {
    clock.advance(100);
    await new Promise(setImmediate);
  }
  await done;
}

/** A runtime that initialises at once and answers each event with `"ok"`. */
export const WELL_BEHAVED: PlayedRuntime = {};

export function testVersion(over: Partial<FunctionVersion> = {}): FunctionVersion {
  return {
    accountId: '000000000000',
    region: 'us-east-1',
    functionName: 'fn',
    version: '$LATEST',
    generation: 'first',
    revisionId: 'revision',
    code: { kind: 'archive', sha256: 'hash', sizeBytes: 1 },
    runtime: 'nodejs24.x',
    handler: 'index.handler',
    role: 'role',
    description: '',
    timeoutSeconds: 3,
    memoryMb: 128,
    ephemeralStorageMb: 512,
    architecture: 'x86_64',
    environment: {},
    logGroupName: '/aws/lambda/fn',
    tracingMode: 'PassThrough',
    state: 'Active',
    lastUpdateStatus: 'Successful',
    lastModifiedMs: 0,
    tags: {},
    ...over,
  };
}

function play(guest: FakeGuest, runtime: PlayedRuntime): void {
  const send: Send = (type, header, payload) =>
    void guest.channel.write(encodeFrame(type, header, payload));
  const decoder = new FrameDecoder((frame: Frame) => {
    if (frame.type === FRAME.init) {
      runtime.onInitHeader?.(frame.header);
      if (runtime.onInit === undefined) send(FRAME.ready, {});
      else runtime.onInit(guest, send);
      return;
    }
    const requestId = String(frame.header['requestId']);
    if (runtime.onInvoke === undefined) send(FRAME.response, { requestId }, Buffer.from('"ok"'));
    else runtime.onInvoke(guest, send, requestId);
  });
  guest.channel.on('data', (chunk: Buffer) => decoder.write(chunk));
  guest.channel.on('error', () => {});
  send(FRAME.booted, { languageVersion: '24.0.0' });
}

function launcher(layerFolder: string | undefined): RuntimeLauncher {
  const interpreter = {
    family: 'nodejs' as const,
    version: '24.1.0',
    prefix: '/usr',
    program: 'bin/node',
    origin: 'PATH',
  };
  return new RuntimeLauncher(
    {
      resolve: () => Promise.resolve({ interpreter, exact: true }),
      list: () => Promise.resolve([interpreter]),
    },
    { directory: () => '/code' },
    () => '/bootstrap',
    { layerFolder: () => Promise.resolve(layerFolder) },
  );
}

function logStore(onEvent: (event: LogEvent) => void): LogStore {
  return {
    append: (_group, _stream, event) => onEvent(event),
    read: () => Promise.resolve([]),
    follow: () => () => {},
    deleteGroup: () => Promise.resolve(),
    flush: () => Promise.resolve(),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
}
