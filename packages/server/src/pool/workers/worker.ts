import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import type { Clock } from '../../clock/clock.ts';
import { FramedSession } from '../../runtime-api/framed/framed-session.ts';
import type {
  GuestCommand,
  GuestPaths,
  Sandbox,
  SandboxDirectories,
  SandboxDriver,
  SandboxSizes,
} from '../../sandbox/sandbox.ts';
import { SandboxError } from '../../sandbox/sandbox.ts';
import { EnvironmentDoors } from '../guest/environment-doors.ts';
import { Guest } from '../guest/guest.ts';

/** Workers of one kind can take in the same functions: interpreter, its flags and bootstrap agree. */
export interface WorkerKind {
  /** Equal for equal kinds. */
  readonly key: string;
  readonly directories: SandboxDirectories;
  /** What a function that it takes in will probably have. */
  readonly likely: SandboxSizes;
  command(paths: GuestPaths): GuestCommand;
}

/** A sandbox with a booted runtime that belongs to no function yet. It is given to one, once. */
export interface Worker {
  readonly sandbox: Sandbox;
  readonly doors: EnvironmentDoors;
  readonly guest: Guest;
}

/** Of what a worker printed before it ended, for the operator. */
const MAX_LINE_LENGTH = 500;
/** Longer than any boot on a busy machine; a worker that takes more is of no use. */
const BOOT_TIMEOUT_MS = 30_000;

/** Starts a worker; settles when it has booted. Rejects, and leaves nothing behind, where it cannot. */
export async function startWorker(
  kind: WorkerKind,
  driver: SandboxDriver,
  acceptFromFunction: (socket: Socket) => void,
  clock: Clock,
  signal: AbortSignal,
): Promise<Worker> {
  const { directories, likely } = kind;
  const sandbox = await driver.create(
    { environmentId: randomBytes(16).toString('hex'), directories, likely },
    signal,
  );
  try {
    const doors = await EnvironmentDoors.open(sandbox.network, acceptFromFunction);
    const process = await sandbox.start(kind.command(sandbox.paths), signal);
    if (process.channel === undefined)
      throw new SandboxError('Cannot talk to a worker without a channel');
    const session = new FramedSession(process.channel);
    const guest = new Guest(process, session, clock);
    let lastLine = '';
    guest.direct({
      write(line) {
        lastLine = line.slice(0, MAX_LINE_LENGTH);
      },
    });
    try {
      await bootedInTime(session, clock, signal);
    } catch (error) {
      await guest.stop();
      const { code, signal: killer, outOfMemory } = await guest.exited;
      const end = outOfMemory ? 'out of memory' : (killer ?? `status ${code}`);
      throw new SandboxError(`it ended with ${end} and printed: ${lastLine}`, { cause: error });
    }
    return { sandbox, doors, guest };
  } catch (error) {
    await sandbox[Symbol.asyncDispose]();
    throw error;
  }
}

async function bootedInTime(
  session: FramedSession,
  clock: Clock,
  signal: AbortSignal,
): Promise<void> {
  const ended = Promise.withResolvers<never>();
  const onAbort = (): void =>
    ended.reject(new SandboxError('it was aborted', { cause: signal.reason }));
  const timer = clock.startTimer(BOOT_TIMEOUT_MS, () =>
    ended.reject(new SandboxError(`it has not booted within ${BOOT_TIMEOUT_MS} ms`)),
  );
  signal.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([session.booted(), ended.promise]);
  } finally {
    timer.cancel();
    signal.removeEventListener('abort', onAbort);
  }
}
