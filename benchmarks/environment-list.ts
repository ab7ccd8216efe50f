import { setTimeout as delay } from 'node:timers/promises';

import type { EnvironmentView } from '../packages/server/src/pool/environment-view.ts';

/** What a server tells of its environments. */
export interface EnvironmentList {
  readonly environments: readonly EnvironmentView[];
  readonly readyWorkers: number;
}

const PATIENCE_MS = 120_000;
const POLL_MS = 20;

export async function readEnvironments(endpoint: string): Promise<EnvironmentList> {
  const response = await fetch(`${endpoint}/_hearth/environments`);
  if (!response.ok) throw new Error(`Cannot list environments: HTTP ${response.status}`);
  const list: EnvironmentList = JSON.parse(await response.text());
  return list;
}

/** Waits for the server to be in a state that a measurement can start from. */
export async function untilEnvironments(
  endpoint: string,
  wanted: string,
  isReached: (list: EnvironmentList) => boolean,
): Promise<EnvironmentList> {
  const giveUpAt = performance.now() + PATIENCE_MS;
  for (;;) {
    const list = await readEnvironments(endpoint);
    if (isReached(list)) return list;
    if (performance.now() > giveUpAt) {
      throw new Error(
        `Cannot measure as the server must have ${wanted}: it has ${list.environments.length} ` +
          `environments and ${list.readyWorkers} workers ready`,
      );
    }
    await delay(POLL_MS);
  }
}
