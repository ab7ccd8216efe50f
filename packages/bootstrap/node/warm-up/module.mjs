// What the bootstrap rehearses ES modules with.
import { setTimeout as sleep } from 'node:timers/promises';

await sleep(0);
export const handler = async (event) => event;
