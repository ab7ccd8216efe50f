import { openSync } from 'node:fs';
import { Socket } from 'node:net';
import type { DescriptorCalls } from '../../system-calls/descriptor-calls.ts';
import { guestStdio, type GuestStreams } from '../guest-streams.ts';
import type { GuestCommand } from '../sandbox.ts';

/** The server's ends of a guest's descriptors, and the guest's, which whoever opens them closes. */
export interface GuestSockets extends GuestStreams {
  /** From 0 on. */
  readonly theirs: readonly number[];
}

/** @param opening gets to know each descriptor that is to be closed once the guest has it */
export function openGuestSockets(
  calls: DescriptorCalls,
  descriptors: GuestCommand['descriptors'],
  opening: (descriptor: number) => number,
): GuestSockets {
  const theirs: number[] = [];
  const ours: (Socket | undefined)[] = [];
  try {
    for (const kind of guestStdio(descriptors)) {
      if (kind === 'ignore') {
        theirs.push(opening(openSync('/dev/null', 'r+')));
        ours.push(undefined);
        continue;
      }
      const opened = openSocket(calls, opening);
      theirs.push(opened.theirs);
      ours.push(opened.socket);
    }
  } catch (error) {
    for (const socket of ours) socket?.destroy();
    throw error;
  }
  const [, stdout, stderr, channel, log] = ours;
  if (stdout === undefined || stderr === undefined) throw new Error('a guest has its output');
  return { theirs, stdout, stderr, channel, log };
}

/** A socket of the server whose other end is for another process. */
export function openSocket(
  calls: DescriptorCalls,
  opening: (descriptor: number) => number,
): { readonly socket: Socket; readonly ours: number; readonly theirs: number } {
  const { ours, theirs } = calls.createSocketPair();
  opening(theirs);
  const socket = new Socket({ fd: ours });
  // The other side may close its end whenever it likes; its exit tells why.
  socket.on('error', () => {});
  return { socket, ours, theirs };
}

export function destroyStreams({ stdout, stderr, channel, log }: GuestStreams): void {
  for (const stream of [stdout, stderr, channel, log]) stream?.destroy();
}
