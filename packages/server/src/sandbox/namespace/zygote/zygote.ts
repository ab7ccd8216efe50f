import { closeSync, readlinkSync } from 'node:fs';
import {
  type LinuxSystemCalls,
  Signal,
  type WaitStatus,
} from '../../../system-calls/linux-system-calls.ts';
import { raiseOutOfMemoryScore } from '../out-of-memory-score.ts';
import { SandboxError } from '../../sandbox.ts';
import { parseZygoteMessage, type ZygoteMessage } from './zygote-messages.ts';
import { startZygoteProcess, type ZygoteLaunch, type ZygoteProcess } from './zygote-process.ts';

/** A descriptor to give away, and what for; names may stand several times. */
export type NamedDescriptor = readonly [name: string, descriptor: number];

/** What a fork becomes; see the bootstrap's protocol. */
export interface ForkRequest {
  readonly uid: number;
  readonly gid: number;
  readonly cwd: string;
  /** Number of the resource, soft limit, hard limit or undefined where it stays. */
  readonly limits: readonly (readonly [number, bigint, bigint | undefined])[];
  /** Stay the caller's, which may close them as soon as `fork` has returned its promise. */
  readonly descriptors: readonly NamedDescriptor[];
}

/** A process that came from a zygote. */
export interface ForkedProgram {
  readonly pid: number;
  /** Of `openProcess`; closed by the caller once `ended` has settled. */
  readonly descriptor: number;
  /** Undefined where nobody can tell: the zygote had ended before. */
  readonly ended: Promise<WaitStatus | undefined>;
}

interface Pending {
  /** A process of the sandbox. */
  readonly inside: number;
  readonly result: PromiseWithResolvers<ForkedProgram>;
  program: ForkedProgram | undefined;
  hasEntered: boolean;
}

const READY_TIMEOUT_MS = 30_000;
/** In a row: whatever it is, it does not work here. */
const MAX_FAILURES = 3;

/** A prepared interpreter that forks itself into sandboxes. */
export class Zygote {
  /** Settles with what it printed when it is gone. */
  readonly ended: Promise<string>;
  readonly #calls: LinuxSystemCalls;
  readonly #process: ZygoteProcess;
  readonly #pending = new Map<number, Pending>();
  readonly #guests = new Map<number, PromiseWithResolvers<WaitStatus | undefined>>();
  readonly #ready = Promise.withResolvers<void>();
  #requests = 0;
  #isRetired = false;
  #hasForked = false;
  #isClosed = false;
  #failures = 0;

  private constructor(calls: LinuxSystemCalls, process: ZygoteProcess) {
    this.#calls = calls;
    this.#process = process;
    // Nobody may be waiting for it.
    this.#ready.promise.catch(() => {});
    this.ended = process.ended.then((printed) => {
      this.#end(printed);
      return printed;
    });
    void this.#listen();
  }

  /** Rejects, and leaves nothing behind, where it does not come up. */
  static async start(launch: ZygoteLaunch, signal: AbortSignal): Promise<Zygote> {
    const zygote = new Zygote(launch.calls, startZygoteProcess(launch));
    const limit = AbortSignal.any([signal, AbortSignal.timeout(READY_TIMEOUT_MS)]);
    const onAbort = (): void => zygote.#process.kill();
    limit.addEventListener('abort', onAbort, { once: true });
    if (limit.aborted) onAbort();
    try {
      await zygote.#ready.promise;
      return zygote;
    } catch (error) {
      zygote.#process.kill();
      await zygote.ended;
      throw error;
    } finally {
      limit.removeEventListener('abort', onAbort);
    }
  }

  /** True once a guest has come into its sandbox. */
  get hasForked(): boolean {
    return this.#hasForked;
  }

  /** True once it waits for its last fork to end. */
  get isRetired(): boolean {
    return this.#isRetired;
  }

  /**
   * Settles when the fork is in its sandbox. Rejects where it did not get there; then it is gone.
   *
   * @param inside the number of a process of the sandbox
   */
  fork(inside: number, { descriptors, limits, ...rest }: ForkRequest): Promise<ForkedProgram> {
    const id = (this.#requests += 1);
    const result = Promise.withResolvers<ForkedProgram>();
    const pending: Pending = { inside, result, program: undefined, hasEntered: false };
    const request = {
      id,
      ...rest,
      // As text, as they are larger than what numbers of JSON can be.
      limits: limits.map(([resource, soft, hard]) => [
        resource,
        String(soft),
        hard === undefined ? null : String(hard),
      ]),
      descriptors: descriptors.map(([name]) => name),
    };
    try {
      if (this.#isClosed) throw new SandboxError('Cannot fork a guest as the zygote has ended');
      const numbers = descriptors.map(([, descriptor]) => descriptor);
      this.#process.send(JSON.stringify(request), numbers);
      this.#pending.set(id, pending);
    } catch (error) {
      result.reject(error);
    }
    return result.promise;
  }

  /** Ends when the last of its forks has ended, whose exits it tells until then. */
  retire(): void {
    this.#isRetired = true;
    this.#endIfUnused();
  }

  /** False where it takes no more requests. */
  get isUsable(): boolean {
    return !this.#isClosed;
  }

  /** Its forks live on, and it ends after them; how they end is told as far as the kernel can. */
  close(): void {
    if (this.#isClosed) return;
    this.#end('it was closed');
    this.#process.end();
  }

  async #listen(): Promise<void> {
    try {
      for await (const line of this.#process.lines) this.#take(parseZygoteMessage(line));
    } catch (error) {
      this.#ready.reject(error);
      this.close();
    }
  }

  #take(message: ZygoteMessage): void {
    if (message.kind === 'ready') {
      this.#ready.resolve();
      return;
    }
    if (message.kind === 'ended') {
      this.#guestEnded(message.pid, message.status);
      return;
    }
    const pending = this.#pending.get(message.id);
    if (pending === undefined) return;
    switch (message.kind) {
      case 'forked':
        this.#hold(pending, message.pid);
        break;
      case 'entered':
        pending.hasEntered = true;
        break;
      case 'failed':
        this.#fail(message.id, pending, message.reason);
        return;
    }
    // Told by two processes: either may be the first.
    if (!pending.hasEntered || pending.program === undefined) return;
    this.#pending.delete(message.id);
    this.#hasForked = true;
    this.#failures = 0;
    pending.result.resolve(pending.program);
  }

  /** Its number is its own until it was waited for, which is told later than this. */
  #hold(pending: Pending, pid: number): void {
    let descriptor: number;
    try {
      descriptor = this.#calls.openProcess(pid);
    } catch {
      return; // it has ended, which is told next
    }
    if (!isBeside(pid, pending.inside)) {
      closeSync(descriptor);
      return;
    }
    const ended = Promise.withResolvers<WaitStatus | undefined>();
    raiseOutOfMemoryScore(pid);
    this.#guests.set(pid, ended);
    pending.program = { pid, descriptor, ended: ended.promise };
  }

  #guestEnded(pid: number, status: WaitStatus): void {
    for (const [id, pending] of this.#pending) {
      if (pending.program?.pid === pid) this.#fail(id, pending, 'it ended on its way');
    }
    this.#guests.get(pid)?.resolve(status);
    this.#guests.delete(pid);
    this.#endIfUnused();
  }

  #fail(id: number, { result, program }: Pending, reason: string): void {
    this.#pending.delete(id);
    result.reject(new SandboxError(`Cannot fork a guest: ${reason}`));
    if (program !== undefined) {
      this.#calls.signalProcess(program.descriptor, Signal.kill);
      void program.ended.then(() => closeSync(program.descriptor));
    }
    this.#failures += 1;
    if (this.#failures >= MAX_FAILURES) this.close();
    this.#endIfUnused();
  }

  #end(printed: string): void {
    this.#isClosed = true;
    const reason = printed.trim().split('\n').at(-1) || 'it ended without a message';
    this.#ready.reject(new SandboxError(`Cannot prepare guests: ${reason}`));
    for (const [id, pending] of this.#pending) this.#fail(id, pending, reason);
    for (const guest of this.#guests.values()) guest.resolve(undefined);
    this.#guests.clear();
  }

  #endIfUnused(): void {
    if (this.#isRetired && this.#guests.size === 0 && this.#pending.size === 0) this.close();
  }
}

/** Whether both are in the same PID namespace. */
function isBeside(pid: number, other: number): boolean {
  try {
    const [one, two] = [pid, other].map((each) => readlinkSync(`/proc/${each}/ns/pid`));
    return one === two;
  } catch {
    return false;
  }
}
