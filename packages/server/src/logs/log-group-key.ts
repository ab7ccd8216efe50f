import { createHash } from 'node:crypto';
import type { LogGroupIdentity } from './log-store.ts';

const MAX_READABLE_CHARACTERS = 80;
const HASH_CHARACTERS = 32;

/**
 * Name of a group's folder: a readable part and a hash of the whole identity. Whatever the names hold
 * (slashes, dots, letters that only differ in case), it is one plain file name, and no two groups
 * share it.
 */
export function groupKey({ accountId, region, logGroupName }: LogGroupIdentity): string {
  const identity = JSON.stringify([accountId, region, logGroupName]);
  const hash = createHash('sha256').update(identity).digest('hex').slice(0, HASH_CHARACTERS);
  const readable = logGroupName
    .slice(0, MAX_READABLE_CHARACTERS)
    .replaceAll(/[^a-zA-Z0-9]+/g, '-')
    .replaceAll(/^-|-$/g, '');
  return `${readable}-${hash}`;
}
