import { type Duplex, duplexPair, PassThrough } from 'node:stream';
import { enforcementOf } from '../enforcement-facts.ts';
import { exitWithCode } from '../guest-exit.ts';
import { type DriverCore, GuardedDriver } from '../guarded-driver.ts';
import type {
  GuestCommand,
  GuestExit,
  GuestProcess,
  Sandbox,
  SandboxDriver,
  SandboxSpec,
} from '../sandbox.ts';

/** A guest as the test that plays it sees it: the other ends of its descriptors, and its exit. */
export class FakeGuest {
  readonly spec: SandboxSpec;
  readonly command: GuestCommand;
  /** The guest's end of the channel. */
  readonly channel: Duplex;
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly log = new PassThrough();
  memoryPeakBytes: number | undefined;
  /** True once the environment's share of the CPU applies. */
  cpuLimited = false;
  /** What the server holds. */
  readonly process: GuestProcess;
  readonly #exited = Promise.withResolvers<GuestExit>();

  constructor(spec: SandboxSpec, command: GuestCommand) {
    this.spec = spec;
    this.command = command;
    const [channel, serverChannel] = duplexPair();
    this.channel = channel;
    this.process = {
      channel: serverChannel,
      stdout: this.stdout,
      stderr: this.stderr,
      log: this.log,
      exited: this.#exited.promise,
      memoryPeakBytes: () => this.memoryPeakBytes,
      limitCpu: () => {
        this.cpuLimited = true;
      },
      kill: async () => {
        this.exit({ code: undefined, signal: 'killed', outOfMemory: false });
        await this.#exited.promise;
      },
    };
  }

  /** Ends the guest; only the first call counts. */
  exit(exit: GuestExit | number): void {
    for (const stream of [this.channel, this.stdout, this.stderr, this.log]) stream.end();
    this.#exited.resolve(typeof exit === 'number' ? exitWithCode(exit) : exit);
  }
}

/** How a test scripts the driver. Each may throw, or wait, to play a fault of the platform. */
export interface FakeScript {
  /** Plays a guest that has been started. */
  readonly onStart: (guest: FakeGuest) => void | Promise<void>;
  readonly onCreate?: (spec: SandboxSpec, signal: AbortSignal) => void | Promise<void>;
  readonly onDispose?: (spec: SandboxSpec) => void | Promise<void>;
}

/** A driver without processes, for tests: the guests are played by the test. */
export function createFakeDriver(script: FakeScript): SandboxDriver {
  return new GuardedDriver(new FakeDriver(script));
}

class FakeDriver implements DriverCore {
  readonly name = 'fake';
  readonly enforcement = enforcementOf([]);
  readonly #script: FakeScript;

  constructor(script: FakeScript) {
    this.#script = script;
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const script = this.#script;
    await script.onCreate?.(spec, signal);
    signal.throwIfAborted();
    return {
      paths: { ...spec.directories, opt: spec.directories.opt ?? '/opt', tmp: '/tmp' },
      async start(command) {
        const guest = new FakeGuest(spec, command);
        await script.onStart(guest);
        return guest.process;
      },
      async [Symbol.asyncDispose]() {
        await script.onDispose?.(spec);
      },
    };
  }

  async sweep(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
