import { SystemClock } from '../../clock/system-clock.ts';

const POLL_MS = 5;
/** A process that SIGKILL has reached but that hangs in the kernel is not waited for any longer. */
const LIMIT_MS = 2_000;

/**
 * Kills what is left of a process group and settles when it is empty. For systems on which
 * processes that have left their group cannot be found; processes keep real time, whatever clock
 * the server has.
 */
export async function processGroupEnded(group: number): Promise<void> {
  const clock = new SystemClock();
  const endMs = clock.monotonicMs() + LIMIT_MS;
  while (signalGroup(group, 'SIGKILL') && clock.monotonicMs() < endMs) {
    await new Promise<void>((resolve) => {
      clock.startTimer(POLL_MS, resolve);
    });
  }
}

/** False where the group has no member left. */
function signalGroup(group: number, signal: NodeJS.Signals): boolean {
  try {
    process.kill(-group, signal);
    return true;
  } catch {
    return false;
  }
}
