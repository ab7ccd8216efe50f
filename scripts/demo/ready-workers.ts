import { setTimeout as delay } from 'node:timers/promises';

const POLL_MS = 25;
/** Workers are started one by one; when none has come for so long, all are there. */
const QUIET_MS = 300;
const LIMIT_MS = 5_000;

/**
 * Waits until the server has started the workers that it keeps ready, so that what is measured is
 * not their start. True where there are any.
 */
export async function untilWorkersAreReady(endpoint: string): Promise<boolean> {
  const giveUpAt = performance.now() + LIMIT_MS;
  let ready = await readyWorkers(endpoint);
  let changedAt = performance.now();
  while (performance.now() < giveUpAt && performance.now() - changedAt < QUIET_MS) {
    await delay(POLL_MS);
    const now = await readyWorkers(endpoint);
    if (now !== ready) changedAt = performance.now();
    ready = now;
  }
  return ready > 0;
}

async function readyWorkers(endpoint: string): Promise<number> {
  const response = await fetch(`${endpoint}/_hearth/environments`);
  const body: unknown = await response.json();
  const count = typeof body === 'object' && body !== null ? Reflect.get(body, 'readyWorkers') : 0;
  return typeof count === 'number' ? count : 0;
}
