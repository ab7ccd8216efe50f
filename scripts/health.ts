import type { HealthReport } from '../packages/server/src/api/admin/health-handler.ts';

/** What a server says about itself. */
export interface Health {
  readonly region: string;
  readonly accountId: string;
  /** Version of the interpreter that runs a runtime; undefined where this machine has none for it. */
  interpreterVersion(runtime: string): string | undefined;
}

/** Asks for the runtimes too: the server looks for interpreters before anything is measured. */
export async function readHealth(endpoint: string): Promise<Health> {
  const response = await fetch(`${endpoint}/_hearth/health?runtimes=true`);
  if (!response.ok) throw new Error(`Cannot read the server's health: HTTP ${response.status}`);
  const report: HealthReport = JSON.parse(await response.text());
  const versions = new Map(report.runtimes?.map(({ runtime, version }) => [runtime, version]));
  return {
    region: report.region,
    accountId: report.accountId,
    interpreterVersion: (runtime) => versions.get(runtime),
  };
}
