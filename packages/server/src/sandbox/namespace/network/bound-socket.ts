import { closeSync } from 'node:fs';
import {
  type InternetAddress,
  type NetworkCalls,
  SocketKind,
} from '../../../system-calls/network-calls.ts';

const BACKLOG = 511;

/**
 * A socket of the network namespace that the thread is in: of TCP it listens, of UDP it receives. The
 * caller closes it.
 */
export function bindSocket(calls: NetworkCalls, kind: 'tcp' | 'udp', at: InternetAddress): number {
  const socket = calls.createSocket(SocketKind[kind]);
  try {
    calls.bind(socket, at);
    if (kind === 'tcp') calls.listen(socket, BACKLOG);
    return socket;
  } catch (error) {
    closeSync(socket);
    throw error;
  }
}
