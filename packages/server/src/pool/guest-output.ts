import type { Readable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { LineSplitter } from '../logs/line-splitter.ts';
import { LogFrameDecoder } from '../runtime-api/framed/log-frames.ts';
import type { GuestProcess } from '../sandbox/sandbox.ts';

/** Takes what a program printed, one message at a time. */
export interface OutputTarget {
  write(message: string): void;
}

/**
 * What a process prints. It is read from its first byte on; until there is a target, that is in a
 * worker without a function, it is dropped.
 */
export class GuestOutput {
  /** Settles when nothing more can come; a descriptor may live on in another process. */
  readonly ended: Promise<unknown>;
  #target: OutputTarget | undefined;

  constructor(process: GuestProcess) {
    const onMessage = (message: string): void => this.#target?.write(message);
    this.ended = Promise.all([
      readLines(process.stdout, onMessage),
      readLines(process.stderr, onMessage),
      process.log === undefined ? undefined : readLogFrames(process.log, onMessage),
    ]);
  }

  /** From now on `target` gets everything. */
  direct(target: OutputTarget): void {
    this.#target = target;
  }
}

async function readLines(stream: Readable, onLine: (line: string) => void): Promise<void> {
  const splitter = new LineSplitter(onLine);
  stream.on('data', (chunk: Buffer) => splitter.write(chunk));
  await finished(stream, { writable: false }).catch(() => {});
  splitter.end();
}

async function readLogFrames(
  stream: Readable,
  onMessage: (message: string) => void,
): Promise<void> {
  const decoder = new LogFrameDecoder((event) => onMessage(event.message));
  stream.on('data', (chunk: Buffer) => decoder.write(chunk));
  await finished(stream, { writable: false }).catch(() => {});
  decoder.end();
}
