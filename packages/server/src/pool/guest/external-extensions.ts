import type { Clock } from '../../clock/clock.ts';
import { within } from '../../clock/within.ts';
import type { ExtensionRegistry } from '../../runtime-api/extensions/extension-registry.ts';
import type { GuestCommand, GuestProcess, Sandbox } from '../../sandbox/sandbox.ts';
import { GuestOutput, type OutputTarget } from './guest-output.ts';

/** How long output may still come in after a process is gone; a descriptor may live on elsewhere. */
const OUTPUT_GRACE_MS = 250;

interface RunningExtension {
  readonly process: GuestProcess;
  readonly output: GuestOutput;
}

/** The processes of an environment's external extensions. What becomes of them is told to the registry. */
export class ExternalExtensions {
  readonly #sandbox: Sandbox;
  readonly #registry: ExtensionRegistry;
  readonly #target: OutputTarget;
  readonly #clock: Clock;
  readonly #running = new Map<string, RunningExtension>();
  #ending = false;

  constructor(sandbox: Sandbox, registry: ExtensionRegistry, target: OutputTarget, clock: Clock) {
    this.#sandbox = sandbox;
    this.#registry = registry;
    this.#target = target;
    this.#clock = clock;
  }

  /** Starts one. That it cannot be executed is the registry's to know; a fault of the platform rejects. */
  async start(name: string, command: GuestCommand, signal: AbortSignal): Promise<void> {
    const process = await this.#sandbox.start(command, signal);
    const output = new GuestOutput(process, this.#clock);
    output.direct(this.#target);
    this.#running.set(name, { process, output });
    void process.exited.then((exit) => {
      this.#running.delete(name);
      if (!this.#ending) this.#registry.processEnded(name, exit);
    });
  }

  /** Ends those that are not to hear of the shutdown. From here on an exit is no failure. */
  async endAllBut(names: ReadonlySet<string>): Promise<void> {
    this.#ending = true;
    const others = [...this.#running].filter(([name]) => !names.has(name));
    await Promise.all(others.map(([, { process }]) => process.kill()));
  }

  /** Settles when all have exited. */
  async exited(): Promise<void> {
    await Promise.all([...this.#running.values()].map(({ process }) => process.exited));
  }

  /** Ends all at once and reads what they have still printed. */
  async kill(): Promise<void> {
    this.#ending = true;
    await Promise.all(
      [...this.#running.values()].map(async ({ process, output }) => {
        await process.kill();
        await within(this.#clock, OUTPUT_GRACE_MS, output.drained());
      }),
    );
  }
}
