import type { EnvironmentView } from '../../packages/server/src/pool/environment-view.ts';
import type { LedgerEntry } from '../../packages/server/src/pool/environment-ledger.ts';
import type { TestServer } from './server.ts';

/** A line of a function's log, with the stream it is in. */
export interface LogLine {
  readonly logStreamName: string;
  readonly message: string;
}

/** The environments of one function, as `/_hearth/environments` lists them. */
export async function environmentsOf(
  server: TestServer,
  functionName: string,
): Promise<EnvironmentView[]> {
  const { environments } = await page(server, '');
  return environments.filter(({ functionArn }) => functionArn.endsWith(`:${functionName}`));
}

/** For `expect.poll`: a machine that is busy with other things takes its time. */
export const PATIENCE = { timeout: 20_000 };

/** What became of one environment so far, the earliest first. */
export async function transitionsOf(server: TestServer, id: string): Promise<LedgerEntry[]> {
  const { transitions = [] } = await page(server, `?environment=${id}`);
  return transitions.toReversed();
}

/** All that a function's log group holds, the oldest first. */
export async function logOf(server: TestServer, functionName: string): Promise<LogLine[]> {
  const group = encodeURIComponent(`/aws/lambda/${functionName}`);
  const response = await fetch(`${server.endpoint}/_hearth/logs?group=${group}`);
  const { events } = (await response.json()) as { events: LogLine[] };
  return events;
}

async function page(
  server: TestServer,
  query: string,
): Promise<{ environments: EnvironmentView[]; transitions?: LedgerEntry[] }> {
  const response = await fetch(`${server.endpoint}/_hearth/environments${query}`);
  return (await response.json()) as {
    environments: EnvironmentView[];
    transitions?: LedgerEntry[];
  };
}
