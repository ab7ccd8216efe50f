import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtemp, mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { Duplex, type Readable } from 'node:stream';
import { FramedSession } from '../../server/src/runtime-api/framed/framed-session.ts';
import {
  LogFrameDecoder,
  type RuntimeLogEvent,
} from '../../server/src/runtime-api/framed/log-frames.ts';
import type {
  RuntimeEvent,
  RuntimeInit,
  RuntimeResult,
} from '../../server/src/runtime-api/runtime-session.ts';

/** How to start an interpreter with its bootstrap. */
export interface RuntimeCommand {
  readonly argv: readonly [string, ...string[]];
  /** The whole environment of the process, but for the two descriptors. */
  readonly environment?: Readonly<Record<string, string>>;
}

export interface RuntimeExit {
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** Files of a function by their path in the task root. */
export type FunctionFiles = Readonly<Record<string, string>>;

/**
 * A real interpreter that runs a bootstrap, over real sockets and without a sandbox, with a task root
 * of its own. Disposing it kills the process and removes the folder.
 */
export class LaunchedRuntime implements AsyncDisposable {
  readonly taskRoot: string;
  readonly session: FramedSession;
  /** Every log event so far, in order. */
  readonly logs: RuntimeLogEvent[] = [];
  readonly exited: Promise<RuntimeExit>;
  readonly #process: ChildProcess;
  readonly #stdout: Promise<string>;
  readonly #stderr: Promise<string>;
  #onLog: () => void = () => {};

  private constructor(child: ChildProcess, taskRoot: string) {
    this.taskRoot = taskRoot;
    this.#process = child;
    this.session = new FramedSession(duplexOf(child, 3));
    this.#stdout = textOf(child.stdout);
    this.#stderr = textOf(child.stderr);
    this.exited = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('close', (code, signal) => {
        resolve({ code: code ?? undefined, signal: signal ?? undefined });
      });
    });
    this.#readLogs(duplexOf(child, 4));
  }

  /** Starts the interpreter with a task root that holds `files`; settles when it is started. */
  static async start(command: RuntimeCommand, files: FunctionFiles): Promise<LaunchedRuntime> {
    const taskRoot = await realpath(await mkdtemp(join(tmpdir(), 'hearth-runtime-')));
    for (const [name, content] of Object.entries(files)) {
      await mkdir(dirname(join(taskRoot, name)), { recursive: true });
      await writeFile(join(taskRoot, name), content);
    }
    const [program, ...args] = command.argv;
    const child = spawn(program, args, {
      cwd: taskRoot,
      env: {
        ...command.environment,
        _HEARTH_CHANNEL_FD: '3',
        _LAMBDA_TELEMETRY_LOG_FD: '4',
      },
      stdio: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
    });
    return new LaunchedRuntime(child, taskRoot);
  }

  /** Waits for the bootstrap and lets it load the function; defaults stand for what is left out. */
  async init(
    init: Partial<RuntimeInit> & Pick<RuntimeInit, 'handler' | 'runtime'>,
  ): Promise<RuntimeResult> {
    await this.session.booted();
    return this.session.init({
      taskRoot: this.taskRoot,
      optRoot: '/opt',
      environment: {},
      functionName: 'contract',
      functionVersion: '$LATEST',
      memoryLimitInMB: '256',
      logGroupName: '/aws/lambda/contract',
      logStreamName: '2026/01/01/[$LATEST]0123456789abcdef0123456789abcdef',
      warnings: [],
      ...init,
    });
  }

  /** Sends an event as JSON, with an hour to answer it. */
  invoke(event: unknown, overrides: Partial<RuntimeEvent> = {}): Promise<RuntimeResult> {
    return this.session.invoke({
      requestId: '6bc28136-xmpl-4365-b021-0ce6b2e64ab0',
      deadlineMs: Date.now() + 3_600_000,
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:contract',
      payload: Buffer.from(JSON.stringify(event)),
      ...overrides,
    });
  }

  /** The first log event, past or to come, that holds `text`. */
  async logged(text: string): Promise<RuntimeLogEvent> {
    for (;;) {
      const found = this.logs.find((event) => event.message.includes(text));
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => {
        this.#onLog = resolve;
      });
    }
  }

  /** All of standard output, once the process has ended. */
  stdout(): Promise<string> {
    return this.#stdout;
  }

  /** All of standard error, once the process has ended. */
  stderr(): Promise<string> {
    return this.#stderr;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL');
    await this.exited;
    this.session[Symbol.dispose]();
    await rm(this.taskRoot, { recursive: true, force: true });
  }

  #readLogs(stream: Readable): void {
    const decoder = new LogFrameDecoder((event) => {
      this.logs.push(event);
      this.#onLog();
    });
    stream.on('data', (chunk: Buffer) => decoder.write(chunk));
    stream.on('end', () => decoder.end());
    stream.on('error', () => decoder.end());
  }
}

/** Node makes the further 'pipe' descriptors of a child as socket pairs. */
function duplexOf(child: ChildProcess, descriptor: number): Duplex {
  const stream = child.stdio[descriptor];
  if (stream instanceof Duplex) return stream;
  throw new TypeError(`Descriptor ${descriptor} must be a stream of both ways`);
}

async function textOf(stream: Readable | null): Promise<string> {
  const chunks: Buffer[] = [];
  if (stream !== null) for await (const chunk of stream) chunks.push(Buffer.from(chunk));
  return Buffer.concat(chunks).toString('utf8');
}
