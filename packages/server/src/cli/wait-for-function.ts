import { setTimeout as sleep } from 'node:timers/promises';
import type { ApiClient } from './api-client.ts';
import { functionPath } from './api-client.ts';
import type { CommandContext } from './command.ts';
import { CommandError } from './command.ts';
import { textField } from './json-fields.ts';

const FIRST_DELAY_MS = 20;
const LONGEST_DELAY_MS = 1_000;
const PATIENCE_MS = 10 * 60_000;

/**
 * Waits until a function is ready to be invoked after a create or an update, and gives its
 * configuration. Rejects with CommandError where it failed.
 */
export async function waitForFunction(
  client: ApiClient,
  { output, signal }: CommandContext,
  name: string,
): Promise<unknown> {
  using _progress = output.progress(`Waiting for ${name}`);
  const endMs = performance.now() + PATIENCE_MS;
  const path = functionPath(name, '/configuration');
  for (let delayMs = FIRST_DELAY_MS; ; delayMs = Math.min(delayMs * 2, LONGEST_DELAY_MS)) {
    const configuration = await client.json({ method: 'GET', path });
    refuseFailure(name, configuration);
    const isPending =
      textField(configuration, 'State') === 'Pending' ||
      textField(configuration, 'LastUpdateStatus') === 'InProgress';
    if (!isPending) return configuration;
    if (performance.now() > endMs) {
      throw new CommandError(`Cannot wait any longer for ${name}: it is still being prepared`);
    }
    await sleep(delayMs, undefined, { signal });
  }
}

function refuseFailure(name: string, configuration: unknown): void {
  if (textField(configuration, 'State') === 'Failed') {
    const reason = textField(configuration, 'StateReason') ?? 'no reason given';
    throw new CommandError(`Function ${name} failed: ${reason}`);
  }
  if (textField(configuration, 'LastUpdateStatus') === 'Failed') {
    const reason = textField(configuration, 'LastUpdateStatusReason') ?? 'no reason given';
    throw new CommandError(`Update of ${name} failed: ${reason}`);
  }
}
