import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, writeSync } from 'node:fs';
import { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import type { DescriptorCalls } from '../../../system-calls/descriptor-calls.ts';
import type { LinuxSystemCalls } from '../../../system-calls/linux-system-calls.ts';
import { childSocket, spawnFailure } from '../../guest-streams.ts';
import { type ProcessTag, spawnTagged } from '../../process-tag.ts';

/** Bubblewrap's own; 5 is that of requests. */
const ARGUMENTS_FD = 6;
const MAX_PRINTED = 8_192;

export interface ZygoteLaunch {
  readonly calls: LinuxSystemCalls;
  readonly descriptors: DescriptorCalls;
  /** Absolute path. */
  readonly bwrap: string;
  /** Options of bubblewrap. */
  readonly options: readonly string[];
  readonly argv: readonly string[];
  readonly tag: ProcessTag | undefined;
}

/** A zygote as far as it is a process: what goes in and comes out. */
export interface ZygoteProcess {
  /** Settles with what it printed when it is gone. */
  readonly ended: Promise<string>;
  /** Its messages, line by line. */
  readonly lines: AsyncIterable<string>;
  /** Throws where it does not listen. */
  send(request: string, descriptors: readonly number[]): void;
  /** It forks no more, and ends with the last of its guests. */
  end(): void;
  /** Only as long as it has no guests. */
  kill(): void;
}

/** Starts it. Rejects where it cannot be started; whether it works is told by its first message. */
export async function startZygoteProcess(launch: ZygoteLaunch): Promise<ZygoteProcess> {
  const { calls, descriptors, tag } = launch;
  using passed = new DisposableStack();
  const passing = (descriptor: number): number => passed.adopt(descriptor, closeSync);
  const argumentsFile = passing(calls.createMemoryFile('hearth-arguments'));
  writeSync(argumentsFile, launch.options.map((option) => `${option}\0`).join(''), 0);
  const pair = descriptors.createSocketPair();
  passing(pair.theirs);
  const socket = new Socket({ fd: pair.ours });
  socket.on('error', () => {});
  const start = (): ChildProcess =>
    spawn(launch.bwrap, ['--args', String(ARGUMENTS_FD), '--', ...launch.argv], {
      cwd: '/',
      env: {},
      // The streams of its forks are sockets, too: what it learns of them holds for theirs.
      stdio: ['ignore', 'pipe', 'pipe', 'ignore', 'ignore', pair.theirs, argumentsFile],
    });
  const child = tag === undefined ? start() : spawnTagged(calls, tag, start);
  if (child.pid === undefined) {
    socket.destroy();
    throw await spawnFailure(child);
  }
  child.on('error', () => {});
  const printed = [1, 2].map((descriptor) => lastPrinted(childSocket(child, descriptor)));
  const closed = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
  });
  return {
    ended: closed.then(() => {
      socket.destroy();
      return printed.map((text) => text()).join('');
    }),
    lines: createInterface({ input: socket }),
    send: (request, passedOn) =>
      descriptors.sendDescriptors(pair.ours, Buffer.from(request), passedOn),
    end: () => socket.destroy(),
    kill: () => child.kill('SIGKILL'),
  };
}

function lastPrinted(stream: Readable): () => string {
  let printed = '';
  stream.on('data', (chunk: Buffer) => {
    printed = (printed + chunk.toString('latin1')).slice(-MAX_PRINTED);
  });
  return () => printed;
}
