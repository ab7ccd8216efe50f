import type { Readable } from 'node:stream';

/** Two short JSON objects; anything longer is not bubblewrap's. */
const MAX_STATUS_BYTES = 4_096;

/**
 * What bubblewrap writes to its status descriptor: first the number of the sandbox's first process,
 * and at the end, if the program had been started, its exit status.
 */
export class BwrapStatus {
  /** Number on the host of the sandbox's first process; undefined where bubblewrap failed before. */
  readonly childPid: Promise<number | undefined>;
  /** Settles when bubblewrap is gone. */
  readonly ended: Promise<void>;
  #text = '';

  constructor(stream: Readable) {
    this.ended = new Promise((resolve) => {
      stream.once('close', resolve);
    });
    this.childPid = new Promise((resolve) => {
      stream.on('data', (chunk: Buffer) => {
        if (this.#text.length < MAX_STATUS_BYTES) this.#text += chunk.toString('latin1');
        const pid = this.#number('child-pid');
        if (pid !== undefined) resolve(pid);
      });
      void this.ended.then(() => resolve(undefined));
    });
  }

  /** The program's exit status, with `128 + n` for the signal n; undefined if it never started. */
  get exitCode(): number | undefined {
    return this.#number('exit-code');
  }

  #number(key: string): number | undefined {
    const digits = new RegExp(`"${key}": (\\d+)\\D`).exec(this.#text)?.[1];
    return digits === undefined ? undefined : Number(digits);
  }
}
