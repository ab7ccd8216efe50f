import { readdirSync, readFileSync } from 'node:fs';

/** More than any sandbox may hold; where nothing counts processes, the rest goes on. */
const MAX_PROCESSES = 4_096;

/**
 * Stops a process and all that can be found below it, or lets them go on. A process that stops
 * cannot start another, so parents are stopped before their children are looked for, and go on after
 * them. What has lost its parent is not found, nor anything on systems other than Linux.
 *
 * @param root a process that the caller knows to be there
 */
export function signalTree(root: number, signal: 'SIGSTOP' | 'SIGCONT'): void {
  const stopping = signal === 'SIGSTOP';
  const tree = [root];
  for (const pid of tree) {
    if (stopping) signalOne(pid, signal);
    if (tree.length < MAX_PROCESSES) tree.push(...childrenOf(pid));
  }
  if (!stopping) for (const pid of tree.toReversed()) signalOne(pid, signal);
}

function signalOne(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It is gone.
  }
}

/** Each thread has those that it has started itself. */
function childrenOf(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).flatMap((thread) =>
      readFileSync(`/proc/${pid}/task/${thread}/children`, 'latin1')
        .split(' ')
        .filter((text) => text !== '')
        .map(Number),
    );
  } catch {
    return [];
  }
}
