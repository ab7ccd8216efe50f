import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { constants } from 'node:os';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const entry = fileURLToPath(new URL('../packages/server/src/cli/main.ts', import.meta.url));

/** Longer than the server itself takes to end what runs. */
const STOP_PATIENCE_MS = 60_000;
const KEPT_ERROR_OUTPUT = 16_384;

export interface ServerProcessOptions {
  /** Arguments of `hearth start`. */
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
  /** `collect` keeps the end of what the server writes to standard error, for a failure's message. */
  readonly errorOutput: 'inherit' | 'collect';
  /** Gets each line of standard output that is not the ready line. */
  readonly onLine?: (line: string) => void;
}

/** The real server, started through its command-line interface. */
export interface ServerProcess extends AsyncDisposable {
  /** `http://127.0.0.1:4566` */
  readonly endpoint: string;
  readonly pid: number;
  /** Exit code, 128 + n where signal n ended it. */
  readonly exited: Promise<number>;
  /** Asks it to end and waits until it has. Repeated calls wait for the same end. */
  stop(): Promise<number>;
}

/** The server ended before it was ready. It has told why on standard error. */
export class ServerExit extends Error {
  override readonly name = 'ServerExit';
  readonly exitCode: number;

  constructor(exitCode: number, errorOutput: string) {
    super(`The server ended with ${exitCode} before it was ready\n${errorOutput}`.trimEnd());
    this.exitCode = exitCode;
  }
}

/** Resolves once the server prints that it is ready. Rejects with {@link ServerExit}. */
export async function startServerProcess(options: ServerProcessOptions): Promise<ServerProcess> {
  const child = spawn(process.execPath, [entry, 'start', ...options.args], {
    env: options.env,
    // The channel carries nothing: its end tells the server that its owner is gone, even if killed.
    stdio: ['ignore', 'pipe', options.errorOutput === 'inherit' ? 'inherit' : 'pipe', 'ipc'],
    // A process group of its own: Ctrl-C reaches it once, from its owner, not from the terminal too.
    detached: true,
  });
  child.channel?.unref();
  const { stdout, stderr } = child;
  if (stdout === null) throw new Error('Cannot read what the server prints');
  let errorOutput = '';
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    errorOutput = (errorOutput + text).slice(-KEPT_ERROR_OUTPUT);
  });
  const exited = new Promise<number>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code, signal) => {
      resolve(code ?? 128 + (signal === null ? 0 : constants.signals[signal]));
    });
  });
  const endpoint = await new Promise<string>((resolve, reject) => {
    createInterface({ input: stdout }).on('line', (line) => {
      const ready = /^hearth ready (http\S+)$/.exec(line)?.[1];
      if (ready !== undefined) resolve(ready);
      else options.onLine?.(line);
    });
    exited.then((exitCode) => reject(new ServerExit(exitCode, errorOutput)), reject);
  });
  const stop = async (): Promise<number> => {
    child.kill('SIGTERM');
    const patience = new AbortController();
    const killer = delay(STOP_PATIENCE_MS, undefined, { signal: patience.signal, ref: false }).then(
      () => child.kill('SIGKILL'),
      () => undefined,
    );
    const exitCode = await exited;
    patience.abort();
    await killer;
    return exitCode;
  };
  return {
    endpoint,
    pid: child.pid ?? 0,
    exited,
    stop,
    [Symbol.asyncDispose]: async () => {
      await stop();
    },
  };
}
