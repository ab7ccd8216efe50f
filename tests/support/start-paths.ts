import type { CreateFunctionCommandInput, Runtime } from '@aws-sdk/client-lambda';
import { vi } from 'vitest';
import { deploy, invokeWithLog, type InvokeAnswer } from './function.ts';
import { startTestServer, type TestServer } from './server.ts';

export type StartPath = 'pooled' | 'direct';

/** What is deployed: its files, and what else is set. */
export interface Deployed {
  readonly files: Readonly<Record<string, string>>;
  readonly settings?: Partial<CreateFunctionCommandInput>;
}

interface Health {
  readonly sandbox: { readonly driver: string };
}

interface Listed {
  readonly environments: readonly {
    readonly functionArn: string;
    readonly coldStart?: { readonly path: StartPath };
  }[];
  readonly readyWorkers: number;
}

/**
 * Two servers that differ in nothing but whether workers are started ahead. What a function sees and
 * answers must be the same on both. Where this machine cannot have workers, both do the same.
 */
export class StartPaths implements AsyncDisposable {
  readonly #servers: Readonly<Record<StartPath, TestServer>>;
  readonly #runtime: Runtime;
  readonly #hasWorkers: boolean;

  private constructor(
    servers: Record<StartPath, TestServer>,
    runtime: Runtime,
    hasWorkers: boolean,
  ) {
    this.#servers = servers;
    this.#runtime = runtime;
    this.#hasWorkers = hasWorkers;
  }

  static async open(runtime: Runtime): Promise<StartPaths> {
    const pooled = await startTestServer({ prewarm: 1 });
    const direct = await startTestServer({ prewarm: 0 });
    const { sandbox } = await read<Health>(pooled, '/_hearth/health');
    const hasWorkers = sandbox.driver === 'namespace' && process.getuid?.() === 0;
    return new StartPaths({ pooled, direct }, runtime, hasWorkers);
  }

  /**
   * Deploys a function on both servers and gives what its first event, and any further ones, were
   * answered. `pooled` says how the first server must have started it.
   */
  async compare(
    name: string,
    { files, settings = {} }: Deployed,
    { events = [{}], pooled = 'pooled' }: { events?: readonly unknown[]; pooled?: StartPath } = {},
  ): Promise<Readonly<Record<StartPath, readonly InvokeAnswer[]>>> {
    const results: Record<StartPath, InvokeAnswer[]> = { pooled: [], direct: [] };
    for (const path of ['pooled', 'direct'] as const) {
      const server = this.#servers[path];
      const wanted = path === 'pooled' && this.#hasWorkers ? pooled : 'direct';
      await deploy(server.client, name, files, { Runtime: this.#runtime, ...settings });
      if (wanted === 'pooled') {
        await vi.waitUntil(async () => (await readList(server)).readyWorkers > 0, WORKER_PATIENCE);
      }
      for (const event of events) {
        results[path].push(await invokeWithLog(server.client, name, event));
      }
      const started = (await readList(server)).environments.find(({ functionArn }) =>
        functionArn.endsWith(`:${name}`),
      );
      // Where init failed there was no cold start to tell of.
      const found = started?.coldStart?.path ?? wanted;
      if (found !== wanted) {
        throw new Error(`Expected ${name} to be started ${wanted}: it was started ${found}`);
      }
    }
    return results;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#servers.pooled[Symbol.asyncDispose]();
    await this.#servers.direct[Symbol.asyncDispose]();
  }
}

const WORKER_PATIENCE = { timeout: 30_000, interval: 20 };

function readList(server: TestServer): Promise<Listed> {
  return read<Listed>(server, '/_hearth/environments');
}

async function read<Answer>({ endpoint }: TestServer, path: string): Promise<Answer> {
  const response = await fetch(endpoint + path);
  const answer: Answer = JSON.parse(await response.text());
  return answer;
}

/** An answer without what differs from event to event and from run to run. */
export function comparable({ result, functionError, log, requestId }: InvokeAnswer): unknown {
  const text = JSON.stringify({ result, functionError, log: log.map(withoutFigures) });
  return JSON.parse(text.replaceAll(requestId ?? 'none', 'REQUEST'));
}

function withoutFigures(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\dT[\d:.]+Z/g, 'TIME')
    .replaceAll(/\[\$LATEST\][0-9a-f]{32}/g, 'STREAM')
    .replaceAll(/[\d.]+ (ms|MB)/g, 'N $1')
    .replaceAll(/runtime:[0-9a-f]+/g, 'runtime:HASH');
}
