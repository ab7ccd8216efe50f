import type { Readable } from 'node:stream';
import type { Clock } from '../../clock/clock.ts';
import { LineSplitter } from '../../logs/line-splitter.ts';
import { LogFrameDecoder } from '../../runtime-api/framed/log-frames.ts';
import type { GuestProcess } from '../../sandbox/sandbox.ts';
import { OutputPace } from './output-pace.ts';
import { PacedReader } from './paced-reader.ts';

/** Takes what a program printed, one message at a time. */
export interface OutputTarget {
  write(message: string): void;
}

/**
 * What a process prints. It is read from its first byte on, at a pace that all its streams share;
 * until there is a target, that is in a worker without a function, it is dropped.
 */
export class GuestOutput {
  /** Settles when nothing more can come; a descriptor may live on in another process. */
  readonly ended: Promise<unknown>;
  readonly #pace: OutputPace;
  readonly #readers: readonly PacedReader[];
  #target: OutputTarget | undefined;

  constructor(process: GuestProcess, clock: Clock) {
    this.#pace = new OutputPace(clock);
    const onMessage = (message: string): void => {
      this.#pace.handedOn();
      this.#target?.write(message);
    };
    const read = (stream: Readable, decoder: Decoder) => {
      const reader = new PacedReader(stream, this.#pace, (bytes) => decoder.write(bytes));
      return { reader, ended: reader.ended.then(() => decoder.end()) };
    };
    const streams = [
      read(process.stdout, new LineSplitter(onMessage)),
      read(process.stderr, new LineSplitter(onMessage)),
    ];
    if (process.log !== undefined) {
      streams.push(read(process.log, new LogFrameDecoder((event) => onMessage(event.message))));
    }
    this.#readers = streams.map(({ reader }) => reader);
    this.ended = Promise.all(streams.map(({ ended }) => ended));
  }

  /** From now on `target` gets everything. */
  direct(target: OutputTarget): void {
    this.#target = target;
  }

  /** True where the target has not got all that has been read. */
  get isBehind(): boolean {
    return this.#readers.some(({ caughtUp }) => caughtUp !== undefined);
  }

  /** Settles when the target has got what has been read so far. */
  async caughtUp(): Promise<void> {
    for (const { caughtUp } of this.#readers) await caughtUp;
  }

  /** The process is gone: what it has left behind in its pipes is read without a pause. */
  async drained(): Promise<void> {
    this.#pace.lift();
    await this.ended;
  }
}

/** Makes messages of bytes. */
interface Decoder {
  write(bytes: Buffer): void;
  end(): void;
}
