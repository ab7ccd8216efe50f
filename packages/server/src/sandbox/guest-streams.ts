import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { Socket } from 'node:net';
import { type GuestCommand, type GuestProcess, SandboxError } from './sandbox.ts';

/** The descriptors that a guest gets: nothing to read, output, errors, then the channel and the log. */
const GUEST_STDIO = {
  standard: ['ignore', 'pipe', 'pipe'],
  channel: ['ignore', 'pipe', 'pipe', 'pipe', 'pipe'],
} as const;

type GuestDescriptors = GuestCommand['descriptors'];

/** As `spawn` takes them. */
export function guestStdio(descriptors: GuestDescriptors): ('ignore' | 'pipe')[] {
  return [...GUEST_STDIO[descriptors]];
}

export type GuestStreams = Pick<GuestProcess, 'channel' | 'stdout' | 'stderr' | 'log'>;

/**
 * The server's ends of `guestStdio`. A guest may close its ends whenever it likes: what is written
 * afterwards fails without ending the server, and the exit tells why.
 */
export function guestStreams(child: ChildProcess, descriptors: GuestDescriptors): GuestStreams {
  const hasChannel = descriptors === 'channel';
  return {
    stdout: childSocket(child, 1),
    stderr: childSocket(child, 2),
    channel: hasChannel ? childSocket(child, 3) : undefined,
    log: hasChannel ? childSocket(child, 4) : undefined,
  };
}

/** The server's end of a descriptor that was given to a child as `pipe`. */
export function childSocket(child: ChildProcess, descriptor: number): Socket {
  const stream: unknown = Object.values(child.stdio)[descriptor];
  if (!(stream instanceof Socket)) {
    throw new SandboxError(
      `Cannot talk to the process as its descriptor ${descriptor} is no socket`,
    );
  }
  stream.on('error', () => {});
  return stream;
}

/** Why a child that has no number could not be started. */
export async function spawnFailure(child: ChildProcess): Promise<unknown> {
  const [error]: unknown[] = await once(child, 'error').catch((reason: unknown) => [reason]);
  return error;
}
