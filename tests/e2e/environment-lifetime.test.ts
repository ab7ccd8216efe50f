import { describe, expect, test } from 'vitest';
import type { EnvironmentView } from '../../packages/server/src/pool/environment-view.ts';
import type { LedgerEntry } from '../../packages/server/src/pool/environment-ledger.ts';
import { environmentsOf, PATIENCE, transitionsOf } from '../support/environments.ts';
import { deploy, invoke, invokeWithLog } from '../support/function.ts';
import { startTestServer, type TestServer } from '../support/server.ts';

const FUNCTION = {
  'index.js': `exports.handler = async ({ forMs = 0 }) => {
    await new Promise((resolve) => setTimeout(resolve, forMs));
    return process.env.AWS_LAMBDA_LOG_STREAM_NAME;
  };`,
};

/** The one environment there is; what became of it, until it is gone. */
async function lifeOf(
  server: TestServer,
  environment: EnvironmentView | undefined,
): Promise<LedgerEntry[]> {
  const id = environment?.id ?? '';
  await expect
    .poll(async () => (await transitionsOf(server, id)).at(-1)?.event.kind, PATIENCE)
    .toBe('ended');
  return transitionsOf(server, id);
}

function timeOf(life: readonly LedgerEntry[], kind: LedgerEntry['event']['kind']): number {
  return life.findLast(({ event }) => event.kind === kind)?.timeMs ?? NaN;
}

describe('an environment', () => {
  test('that is idle for --keep-alive-seconds is ended, and the next event is a cold start', async () => {
    await using server = await startTestServer({ keepAliveSeconds: 1 });
    await deploy(server.client, 'idle', FUNCTION);
    const first = await invoke(server.client, 'idle');
    const [environment] = await environmentsOf(server, 'idle');
    const life = await lifeOf(server, environment);
    expect(life.at(-2)?.event).toEqual({ kind: 'shutdown', reason: 'keep-alive' });
    expect(timeOf(life, 'shutdown') - timeOf(life, 'settled')).toBeGreaterThanOrEqual(990);
    expect(await environmentsOf(server, 'idle')).toEqual([]);
    const next = await invokeWithLog(server.client, 'idle');
    expect(next.result).not.toBe(first.result);
    expect(next.log.join('\n')).toContain('\tInit Duration: ');
  });

  test('that is older than --max-lifetime-seconds finishes its event and takes no more', async () => {
    await using server = await startTestServer({ maxLifetimeSeconds: 1 });
    await deploy(server.client, 'old', FUNCTION, { Timeout: 20 });
    const first = await invokeWithLog(server.client, 'old', { forMs: 1_500 });
    expect(first.functionError).toBeUndefined();
    const next = await invokeWithLog(server.client, 'old');
    expect(next.result).not.toBe(first.result);
    // Also while it is idle: none is kept longer than that.
    const environment = (await environmentsOf(server, 'old')).find(
      ({ logStreamName }) => logStreamName === next.result,
    );
    const life = await lifeOf(server, environment);
    expect(life.at(-2)?.event).toEqual({ kind: 'shutdown', reason: 'maximum-lifetime' });
    expect(timeOf(life, 'shutdown') - timeOf(life, 'sandbox-created')).toBeLessThan(10_000);
    expect(await environmentsOf(server, 'old')).toEqual([]);
  });
});
