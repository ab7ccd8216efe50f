import { mkdirSync, readFileSync, symlinkSync, unlinkSync } from 'node:fs';
import { join } from 'node:path';
import { claimsOf } from './claims.ts';
import { MOUNT_ROOT } from './mount-folder.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** The highest user ids, which neither distributions nor containers give to anyone. */
const PREFERRED_FIRST_UID = 0x7000_0000;
const LAST_UID = 0x7fff_fffe;
/** For user namespaces that have 65,536 ids: above system users and people, below `nobody`. */
const FALLBACK_FIRST_UID = 32_768;
const NOBODY_UID = 65_534;
const BLOCK_UIDS = 4_096;

const CLAIMS_FOLDER = join(MOUNT_ROOT, 'uids');

/** Whom an environment's processes are on the host. */
export interface HostUser {
  /** Of this environment alone. */
  readonly uid: number;
  /** Of all environments of the instance, and of nobody else: lets them into its mount folder. */
  readonly gid: number;
}

/** Users of one server instance; no other instance on the machine gives out the same. */
export class UidRange implements Disposable {
  readonly #claim: string;
  readonly #first: number;
  readonly #used = new Set<number>();
  #next = 0;

  private constructor(claim: string, first: number) {
    this.#claim = claim;
    this.#first = first;
  }

  /** Claims a free block of ids for the instance; throws where none is left. */
  static claim(instanceId: string): UidRange {
    const { first, blocks } = uidBlocks(readFileSync('/proc/self/uid_map', 'latin1'));
    mkdirSync(CLAIMS_FOLDER, { recursive: true, mode: 0o755 });
    for (let block = 0; block < blocks; block += 1) {
      const claim = join(CLAIMS_FOLDER, String(block));
      try {
        // Made with its content at once, and by one instance only.
        symlinkSync(instanceId, claim);
        return new UidRange(claim, first + block * BLOCK_UIDS);
      } catch (error) {
        if (errorCode(error) !== 'EEXIST') throw error;
      }
    }
    throw new Error(`Cannot claim user ids as all of the ${blocks} blocks are in use`);
  }

  get gid(): number {
    return this.#first;
  }

  /** A user that no living environment has. */
  acquire(): HostUser {
    for (let tries = 0; tries < BLOCK_UIDS; tries += 1) {
      const uid = this.#first + this.#next;
      this.#next = (this.#next + 1) % BLOCK_UIDS;
      if (!this.#used.has(uid)) {
        this.#used.add(uid);
        return { uid, gid: this.gid };
      }
    }
    throw new Error(`Cannot give out a user id as ${BLOCK_UIDS} environments are alive`);
  }

  release({ uid }: HostUser): void {
    this.#used.delete(uid);
  }

  [Symbol.dispose](): void {
    unlinkSync(this.#claim);
  }
}

/**
 * The ids that this user namespace has to give away, in blocks.
 *
 * @param uidMap content of `/proc/self/uid_map`: lines of first id here, first id outside, count
 */
export function uidBlocks(uidMap: string): { readonly first: number; readonly blocks: number } {
  let best = { first: 0, blocks: 0 };
  for (const line of uidMap.trim().split('\n')) {
    const [start = 0, , count = 0] = line.trim().split(/\s+/).map(Number);
    const end = start + count;
    for (const [from, to] of [
      [PREFERRED_FIRST_UID, LAST_UID],
      [FALLBACK_FIRST_UID, NOBODY_UID],
    ] as const) {
      const first = Math.max(start, from);
      const blocks = Math.floor((Math.min(end, to) - first) / BLOCK_UIDS);
      if (blocks > best.blocks) best = { first, blocks };
    }
  }
  return best;
}

/** Gives back what a dead instance had claimed. */
export function releaseUidBlocks(instanceId: string): void {
  for (const claim of claimsOf(CLAIMS_FOLDER, instanceId)) unlinkSync(claim);
}
