import { writeFileSync } from 'node:fs';
import { errorCode } from '../../system-calls/error-code.ts';

/** Far above the server's own, which has 0. */
const SCORE = '500';

/**
 * Where the host itself runs out of memory, a function goes before the server and everybody else.
 * Inherited by all that the process starts, none of which may lower it.
 */
export function raiseOutOfMemoryScore(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/oom_score_adj`, SCORE, { flag: 'r+' });
  } catch (error) {
    // Where the server is not root, the process may be out of its reach; one that has ended has no need.
    if (!['EACCES', 'EPERM', 'ENOENT', 'ESRCH'].includes(errorCode(error) ?? '')) throw error;
  }
}
