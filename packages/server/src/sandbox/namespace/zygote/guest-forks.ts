import { type GuestCommand, type GuestProcess, type SandboxDirectories } from '../../sandbox.ts';
import type { ProcessTag } from '../../process-tag.ts';
import { type GuestSetting, NamespaceGuest } from '../namespace-guest.ts';
import type { SeccompFilter } from '../seccomp/seccomp-filter.ts';
import { forkGuest } from './forked-guest.ts';
import { findSandboxKeeper, type SandboxKeeper } from './sandbox-keeper.ts';
import { Zygotes, type ZygotesOptions } from './zygotes.ts';

export interface GuestForksOptions extends ZygotesOptions {
  readonly filter: SeccompFilter | undefined;
}

/** What forking one guest takes. */
export interface ForkStart {
  readonly setting: GuestSetting;
  readonly directories: SandboxDirectories;
  readonly tag: ProcessTag | undefined;
  /** Executes the program that keeps the sandbox. */
  readonly keep: (keeper: SandboxKeeper) => Promise<GuestProcess>;
  readonly signal: AbortSignal;
}

/** Forks guests from zygotes into sandboxes. */
export class GuestForks implements AsyncDisposable {
  readonly #zygotes: Zygotes;
  readonly #options: GuestForksOptions;
  readonly #keeper: SandboxKeeper;

  private constructor(options: GuestForksOptions, keeper: SandboxKeeper) {
    this.#options = options;
    this.#keeper = keeper;
    this.#zygotes = new Zygotes(options);
  }

  static async open(options: GuestForksOptions): Promise<GuestForks> {
    return new GuestForks(options, await findSandboxKeeper());
  }

  /**
   * Undefined where the guest has to be executed. Rejects where not even a program that does nothing
   * can be.
   */
  async start(command: GuestCommand, start: ForkStart): Promise<GuestProcess | undefined> {
    const { setting, directories, tag, keep, signal } = start;
    const zygote = await this.#zygotes.take(command, directories);
    if (zygote === undefined || signal.aborted) return undefined;
    const keeper = await keep(this.#keeper);
    try {
      if (!(keeper instanceof NamespaceGuest)) throw new Error('nothing keeps its sandbox');
      keeper.stdout.destroy();
      keeper.stderr.destroy();
      const { filter, descriptors } = this.#options;
      const openFilter = filter && (() => filter.openProgram());
      return await forkGuest(setting, keeper, { zygote, descriptors, openFilter, tag }, command);
    } catch (error) {
      await keeper.kill();
      if (!signal.aborted) {
        this.#options.onFault('Cannot fork a worker, which is started anew instead', error);
      }
      return undefined;
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#zygotes[Symbol.asyncDispose]();
  }
}
