import { randomBytes } from 'node:crypto';
import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import type { Clock } from '../../clock/clock.ts';
import { EnvironmentApi } from '../../runtime-api/http/environment-api.ts';
import type { RuntimeInit, RuntimeSession } from '../../runtime-api/runtime-session.ts';
import type { Interpreter } from '../../runtimes/runtime-catalog.ts';
import type { GuestProcess, Sandbox, SandboxDriver } from '../../sandbox/sandbox.ts';
import { archivingArguments } from './java-arguments.ts';

export interface ClassArchiveOptions {
  readonly driver: SandboxDriver;
  readonly clock: Clock;
  readonly interpreter: Interpreter;
  /** Folder of AWS's client. */
  readonly clientFolder: string;
  /** A folder without code, for a function that has none. */
  readonly taskFolder: string;
  readonly signal: AbortSignal;
}

/** It takes 2 s on a machine that has nothing else to do. */
const TIME_LIMIT_MS = 60_000;
const MEMORY_MB = 1_024;
const RUNTIME_API_PORT = 9_001;
/** It has 8 MB. */
const MAX_ARCHIVE_BYTES = 128 * 1_048_576;
/** How every archive of the JVM's begins that builds on another one, in the machine's byte order. */
const MAGIC = 0xf00baba8;

/**
 * An archive of the classes that AWS's client for Java has loaded once it has answered events: with
 * it a Java need not parse and check them. It is made in a sandbox like the functions', where all
 * paths are what they will be, and by code of AWS's and Java's alone. Rejects where that fails.
 */
export async function makeClassArchive(options: ClassArchiveOptions): Promise<Buffer> {
  const { driver, clock, interpreter, clientFolder, taskFolder } = options;
  const tooLong = new AbortController();
  const timer = clock.startTimer(TIME_LIMIT_MS, () =>
    tooLong.abort(new Error(`it took more than ${TIME_LIMIT_MS / 1_000} s`)),
  );
  const signal = AbortSignal.any([options.signal, tooLong.signal]);
  try {
    await using sandbox = await driver.create(
      {
        environmentId: `java-${randomBytes(8).toString('hex')}`,
        directories: { runtime: clientFolder, language: interpreter.prefix },
        assignment: { task: taskFolder, memoryMb: MEMORY_MB, ephemeralStorageMb: 512 },
      },
      signal,
    );
    const path = `${sandbox.paths.tmp}/classes.jsa`;
    await runClient(sandbox, interpreter, path, signal);
    return await readArchive(sandbox, path, signal);
  } finally {
    timer.cancel();
  }
}

/** Starts the client, has it answer events, and lets it end, when it writes the archive. */
async function runClient(
  sandbox: Sandbox,
  interpreter: Interpreter,
  archive: string,
  signal: AbortSignal,
): Promise<void> {
  const { paths, network } = sandbox;
  using api = new EnvironmentApi({ runtime: 'http' });
  const address = await network.serve(RUNTIME_API_PORT, (socket) => api.attach(socket));
  const program = await sandbox.start(
    {
      argv: [
        `${paths.language}/${interpreter.program}`,
        ...archivingArguments(interpreter, paths, archive),
      ],
      environment: {
        AWS_LAMBDA_RUNTIME_API: address,
        AWS_LAMBDA_FUNCTION_NAME: 'archive',
        AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
        AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(MEMORY_MB),
        AWS_LAMBDA_LOG_GROUP_NAME: 'archive',
        AWS_LAMBDA_LOG_STREAM_NAME: 'archive',
        AWS_LAMBDA_LOG_FORMAT: 'Text',
        LAMBDA_TASK_ROOT: paths.task,
        LANG: 'en_US.UTF-8',
        TZ: ':UTC',
        _LAMBDA_TELEMETRY_LOG_FD: '4',
      },
      cwd: paths.task,
      descriptors: 'channel',
    },
    signal,
  );
  void program.exited.then(() => api.runtime[Symbol.dispose]());
  await endedBy(program, signal, async () => {
    const printed = lastPrinted(program);
    try {
      await answerEvents(api.runtime);
    } catch (error) {
      throw new Error(`the client did not answer: ${await printed}`, { cause: error });
    }
    program.terminate();
    await program.exited;
  });
}

async function answerEvents(runtime: RuntimeSession): Promise<void> {
  const ready = await runtime.init(NO_INIT);
  if (ready.kind !== 'ready') throw new Error('it failed to initialise');
  for (const [index, payload] of EVENTS.entries()) {
    await runtime.idle();
    const requestId = `00000000-0000-0000-0000-00000000000${index}`;
    await runtime.invoke({
      requestId,
      deadlineMs: Number.MAX_SAFE_INTEGER,
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:archive',
      payload: Buffer.from(payload),
    });
  }
  await runtime.idle();
}

/** What is in most events: each is answered with the one before it. */
const EVENTS = [
  '{"text":"é","number":1,"fraction":1.5,"flag":true,"nothing":null,"list":[1,"a"],"map":{"a":{}}}',
  '["text"]',
  '"text"',
];

/** Over HTTP a runtime is told nothing: it has its environment. */
const NO_INIT: RuntimeInit = {
  handler: '',
  taskRoot: '',
  optRoot: '',
  runtime: '',
  environment: {},
  functionName: '',
  functionVersion: '',
  memoryLimitInMB: '',
  logGroupName: '',
  logStreamName: '',
  warnings: [],
};

async function readArchive(sandbox: Sandbox, path: string, signal: AbortSignal): Promise<Buffer> {
  const program = await sandbox.start(
    {
      argv: ['/bin/cat', path],
      environment: {},
      cwd: sandbox.paths.tmp,
      descriptors: 'standard',
    },
    signal,
  );
  return endedBy(program, signal, async () => {
    const reason = lastLineOf(program.stderr);
    const parts: Buffer[] = [];
    let size = 0;
    const output: AsyncIterable<Buffer> = program.stdout;
    for await (const part of output) {
      size += part.length;
      if (size > MAX_ARCHIVE_BYTES) throw new Error('the archive is too large');
      parts.push(part);
    }
    const content = Buffer.concat(parts);
    if (content.length > 4 && content.readUInt32LE(0) === MAGIC) return content;
    throw new Error(`Java left no archive of classes: ${await reason}`);
  });
}

/** Does the work with a program that is ended afterwards, or when `signal` is aborted. */
async function endedBy<T>(
  program: GuestProcess,
  signal: AbortSignal,
  work: () => Promise<T>,
): Promise<T> {
  const end = (): void => void program.kill();
  signal.addEventListener('abort', end);
  try {
    signal.throwIfAborted();
    return await work();
  } catch (error) {
    signal.throwIfAborted();
    throw error;
  } finally {
    signal.removeEventListener('abort', end);
    await program.kill();
  }
}

/** Reads all that a program prints; settles, when it has ended, with the last line of it. */
async function lastPrinted({ stdout, stderr, log }: GuestProcess): Promise<string> {
  log?.resume();
  const lines = await Promise.all([lastLineOf(stdout), lastLineOf(stderr)]);
  return lines.findLast((line) => line !== '') ?? 'it said nothing';
}

async function lastLineOf(stream: Readable): Promise<string> {
  let tail = '';
  stream.on('data', (chunk: Buffer) => {
    tail = (tail + chunk.toString('latin1')).slice(-1_000);
  });
  await finished(stream, { writable: false }).catch(() => {});
  return tail.trim().split('\n').at(-1)?.trim() ?? '';
}
