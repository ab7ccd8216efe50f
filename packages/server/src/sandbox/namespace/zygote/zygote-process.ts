import { closeSync, openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { type ProcessTag, spawnTagged } from '../../process-tag.ts';
import { openSocket } from '../guest-sockets.ts';
import { type ProcessCalls, SpawnedProcess } from '../spawned-process.ts';

/** Bubblewrap's own; 5 is that of requests. */
const ARGUMENTS_FD = 6;
const MAX_PRINTED = 8_192;

export interface ZygoteLaunch extends ProcessCalls {
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

/** Starts it, or throws; whether it works is told by its first message. */
export function startZygoteProcess(launch: ZygoteLaunch): ZygoteProcess {
  const { calls, descriptors, spawns, tag } = launch;
  using passed = new DisposableStack();
  const passing = (descriptor: number): number => passed.adopt(descriptor, closeSync);
  using kept = new DisposableStack();
  const opened = (): ReturnType<typeof openSocket> => {
    const pair = openSocket(descriptors, passing);
    kept.defer(() => pair.socket.destroy());
    return pair;
  };
  const argumentsFile = passing(calls.createMemoryFile('hearth-arguments'));
  writeSync(argumentsFile, launch.options.map((option) => `${option}\0`).join(''), 0);
  const nothing = passing(openSync('/dev/null', 'r+'));
  const outputs = [opened(), opened()] as const;
  const requests = opened();
  const [stdout, stderr] = outputs.map(({ theirs }) => theirs);
  const start = (): number =>
    spawns.spawn({
      program: launch.bwrap,
      parameters: ['--args', String(ARGUMENTS_FD), '--', ...launch.argv],
      descriptors: [nothing, stdout, stderr, undefined, undefined, requests.theirs, argumentsFile],
    });
  const pid = tag === undefined ? start() : spawnTagged(calls, tag, start);
  // What is freed here is enough for what is opened next.
  passed.dispose();
  const child = new SpawnedProcess(launch, pid);
  kept.move();
  const printed = outputs.map(({ socket }) => lastPrinted(socket));
  const closed = outputs.map(
    ({ socket }) => new Promise((resolve) => socket.once('close', resolve)),
  );
  return {
    ended: Promise.all([child.ended, ...closed]).then(() => {
      requests.socket.destroy();
      return printed.map((text) => text()).join('');
    }),
    lines: createInterface({ input: requests.socket }),
    send: (request, passedOn) =>
      descriptors.sendDescriptors(requests.ours, Buffer.from(request), passedOn),
    end: () => requests.socket.destroy(),
    kill: () => child.kill(),
  };
}

function lastPrinted(stream: Readable): () => string {
  let printed = '';
  stream.on('data', (chunk: Buffer) => {
    printed = (printed + chunk.toString('latin1')).slice(-MAX_PRINTED);
  });
  return () => printed;
}
