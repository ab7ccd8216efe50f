import { setTimeout as delay } from 'node:timers/promises';

// Stands for a model that is loaded or a connection that is made: the first invocation pays for it,
// as Init Duration in its REPORT line, and the warm ones after it do not.
await delay(1_000);

export const handler = async () => 'ready';
