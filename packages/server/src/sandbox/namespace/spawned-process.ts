import { closeSync } from 'node:fs';
import { type DescriptorCalls, loadDescriptorCalls } from '../../system-calls/descriptor-calls.ts';
import {
  type LinuxSystemCalls,
  loadLinuxSystemCalls,
  Signal,
} from '../../system-calls/linux-system-calls.ts';
import { loadSpawnCalls, type SpawnCalls } from '../../system-calls/spawn-calls.ts';

/** The calls that child processes of the server need from their start to their end. */
export interface ProcessCalls {
  readonly calls: LinuxSystemCalls;
  readonly spawns: SpawnCalls;
  readonly descriptors: DescriptorCalls;
}

export async function loadProcessCalls(): Promise<ProcessCalls> {
  return {
    calls: await loadLinuxSystemCalls(),
    spawns: await loadSpawnCalls(),
    descriptors: await loadDescriptorCalls(),
  };
}

/** A child process that Node.js does not know of. */
export class SpawnedProcess {
  readonly pid: number;
  /** Settles when it has ended and is forgotten by the kernel. */
  readonly ended: Promise<void>;
  readonly #calls: LinuxSystemCalls;
  /** Undefined once it has ended. */
  #descriptor: number | undefined;

  /** @param pid as `SpawnCalls.spawn` returned it, in the same turn of the event loop */
  constructor({ calls, spawns }: Omit<ProcessCalls, 'descriptors'>, pid: number) {
    this.pid = pid;
    this.#calls = calls;
    try {
      this.#descriptor = calls.openProcess(pid);
    } catch (error) {
      // Nobody could wait for its end.
      process.kill(pid, 'SIGKILL');
      spawns.reap(pid);
      throw error;
    }
    this.ended = this.#end(spawns, this.#descriptor);
  }

  kill(): void {
    if (this.#descriptor !== undefined) {
      this.#calls.signalProcess(this.#descriptor, Signal.kill);
    }
  }

  async #end(spawns: SpawnCalls, descriptor: number): Promise<void> {
    await this.#calls.processEnded(descriptor);
    this.#descriptor = undefined;
    closeSync(descriptor);
    spawns.reap(this.pid);
  }
}
