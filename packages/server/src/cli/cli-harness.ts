import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createServer } from 'node:http';
import { mkdtempSync, realpathSync, rmSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

// For tests: the real program as a process of its own, and a server that stands in for the API.

const MAIN = fileURLToPath(new URL('./main.ts', import.meta.url));

export interface Ended {
  /** 128 + n where signal n ended it. */
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
}

export interface ProgramOptions {
  readonly environment?: NodeJS.ProcessEnv;
  readonly workingDirectory?: string;
  /** Standard input; none by default. */
  readonly input?: string;
  /** Arguments of Node.js itself. */
  readonly nodeArguments?: readonly string[];
}

/** Starts `hearth` with an environment of nothing but PATH, HOME and what is given. */
export function startHearth(
  programArguments: readonly string[],
  options: ProgramOptions = {},
): { readonly child: ChildProcessWithoutNullStreams; readonly ended: Promise<Ended> } {
  const nodeArguments = options.nodeArguments ?? [];
  const child = spawn(process.execPath, [...nodeArguments, MAIN, ...programArguments], {
    env: { PATH: process.env['PATH'], HOME: '/nonexistent', ...options.environment },
    cwd: options.workingDirectory,
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.on('error', () => undefined);
  child.stdin.end(options.input ?? '');
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = once(child, 'close').then(([code, signal]: unknown[]) => ({
    exitCode: typeof code === 'number' ? code : 128 + signalNumber(signal),
    stdout,
    stderr,
  }));
  return { child, ended };
}

/** Runs `hearth` to its end. */
export function runHearth(
  programArguments: readonly string[],
  options: ProgramOptions = {},
): Promise<Ended> {
  return startHearth(programArguments, options).ended;
}

function signalNumber(signal: unknown): number {
  return Object.entries(constants.signals).find(([name]) => name === signal)?.[1] ?? 0;
}

/** Waits until a process has written `text`; rejects where it ends without. */
export async function untilWritten(stream: NodeJS.ReadableStream, text: string): Promise<void> {
  let seen = '';
  const found = Promise.withResolvers<void>();
  stream.on('data', (chunk: string) => {
    seen += chunk;
    if (seen.includes(text)) found.resolve();
  });
  stream.once('end', () => found.reject(new Error(`it ended without ${text}: ${seen}`)));
  await found.promise;
}

export interface ReceivedRequest {
  readonly method: string;
  /** Path and query as they were sent. */
  readonly target: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Answer = (request: ReceivedRequest, response: ServerResponse) => void;

/** A server that records what it is sent and answers as it is told. */
export interface StandInApi {
  readonly endpoint: string;
  readonly requests: ReceivedRequest[];
}

/** Starts one for the test that runs. */
export async function startStandInApi(answer: Answer): Promise<StandInApi> {
  const requests: ReceivedRequest[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { method = '', url: target = '', headers } = request;
      const received = { method, target, headers, body: Buffer.concat(chunks).toString('utf8') };
      requests.push(received);
      answer(received, response);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { endpoint: `http://127.0.0.1:${port}`, requests };
}

/** Runs `hearth` against a stand-in. */
export function callHearth(
  api: StandInApi,
  programArguments: readonly string[],
  options: ProgramOptions = {},
): Promise<Ended> {
  const environment = { HEARTH_ENDPOINT: api.endpoint, ...options.environment };
  return runHearth(programArguments, { ...options, environment });
}

/** An empty folder for the test that runs. */
export function makeFolder(): string {
  const path = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-cli-')));
  onTestFinished(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

/** A function's configuration as the API answers it. */
export const CONFIGURATION = {
  FunctionName: 'hello',
  FunctionArn: 'arn:aws:lambda:eu-west-1:123456789012:function:hello',
  Runtime: 'nodejs22.x',
  Handler: 'index.handler',
  State: 'Active',
  LastUpdateStatus: 'Successful',
  MemorySize: 128,
  Timeout: 3,
  LoggingConfig: { LogGroup: '/custom/group' },
};

/** An answer of JSON. */
export function sendJson(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' });
  response.end(JSON.stringify(body));
}
