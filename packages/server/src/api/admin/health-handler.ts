import type { IncomingMessage, ServerResponse } from 'node:http';
import { MANAGED_RUNTIMES } from '../../domain/runtimes.ts';
import type { RuntimeCatalog } from '../../runtimes/runtime-catalog.ts';
import { runtimeObstacle } from '../../runtimes/runtime-obstacle.ts';
import type { SandboxDriver, SandboxEnforcement } from '../../sandbox/sandbox.ts';
import { sendJson } from './json-response.ts';

/** One thing that a sandbox should hold a function to, and whether this one does. */
export interface SandboxLimit {
  readonly property: keyof SandboxEnforcement;
  readonly enforced: boolean;
  /** By what it is. */
  readonly how?: string;
  /** Why it is not. */
  readonly why?: string;
  /** What to do to get it, or to get it better. */
  readonly remedy?: string;
}

export interface SandboxReport {
  readonly driver: SandboxDriver['name'];
  /** Why this driver was chosen. */
  readonly reason?: string;
  readonly enforcement: SandboxEnforcement;
  readonly limits: readonly SandboxLimit[];
}

/** What runs a runtime on this server. */
export interface RuntimeReport {
  readonly runtime: string;
  /** Why functions of it are refused, and what to do; absent where they run. */
  readonly obstacle?: string;
  /** Of the interpreter; runtimes whose program comes with the function have none. */
  readonly version?: string;
  /** False where the nearest version stands in. */
  readonly exact?: boolean;
  readonly path?: string;
  readonly origin?: string;
}

/** Body of `GET /_hearth/health`. */
export interface HealthReport {
  readonly status: 'ok';
  readonly version: string;
  readonly region: string;
  readonly accountId: string;
  readonly dataDir: string;
  readonly sandbox: SandboxReport;
  /** Only with `?runtimes=true`: the first look for interpreters takes a while. */
  readonly runtimes?: readonly RuntimeReport[];
}

export interface HealthHandlerOptions {
  readonly version: string;
  readonly region: string;
  readonly accountId: string;
  readonly dataDir: string;
  readonly sandbox: SandboxReport;
  readonly catalog: RuntimeCatalog;
}

/** Serves `GET /_hearth/health`, with `?runtimes=true` also what runs each runtime. */
export function createHealthHandler(
  options: HealthHandlerOptions,
): (request: IncomingMessage, response: ServerResponse, url: URL) => Promise<void> {
  const { catalog, ...facts } = options;
  return async (request, response, url) => {
    if (request.method !== 'GET') {
      sendJson(response, 405, { message: 'Only GET is answered here' });
      return;
    }
    const report: HealthReport = { status: 'ok', ...facts };
    const wantsRuntimes = url.searchParams.get('runtimes') === 'true';
    const runtimes = wantsRuntimes
      ? { runtimes: await describeRuntimes(catalog, options.dataDir) }
      : {};
    sendJson(response, 200, { ...report, ...runtimes });
  };
}

/** What would run each managed runtime. */
export function describeRuntimes(
  catalog: RuntimeCatalog,
  dataDir: string,
): Promise<RuntimeReport[]> {
  return Promise.all(
    [...MANAGED_RUNTIMES.keys()].map(async (runtime) => {
      const choice = await catalog.resolve(runtime);
      const obstacle = await runtimeObstacle(runtime, catalog, dataDir);
      const report = { runtime, ...(obstacle !== undefined && { obstacle }) };
      if (choice === undefined) return report;
      const { version, prefix, program, origin } = choice.interpreter;
      return { ...report, version, exact: choice.exact, path: `${prefix}/${program}`, origin };
    }),
  );
}
