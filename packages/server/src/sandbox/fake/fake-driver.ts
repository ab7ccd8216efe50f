import { type Duplex, duplexPair, PassThrough } from 'node:stream';
import type { GuestNetwork } from '../guest-network.ts';
import { HostNetwork } from '../host-network.ts';
import { enforcementOf } from '../enforcement-facts.ts';
import { exitWithCode } from '../guest-exit.ts';
import { type DriverCore, GuardedDriver } from '../guarded-driver.ts';
import type {
  GuestCommand,
  GuestExit,
  GuestPaths,
  GuestProcess,
  Sandbox,
  SandboxAssignment,
  SandboxDriver,
  SandboxSpec,
} from '../sandbox.ts';

/** A sandbox as the test that plays its guests sees it. */
export class FakeSandbox implements Sandbox {
  readonly spec: SandboxSpec;
  readonly network: GuestNetwork & AsyncDisposable = new HostNetwork();
  readonly guests: FakeGuest[] = [];
  readonly #script: FakeScript;
  assignment: SandboxAssignment | undefined;
  /** What `memoryPeakBytes()` says. */
  peakBytes: number | undefined;
  /** True while the sandbox's share of the CPU follows its memory. */
  cpuLimited = false;
  frozen = false;

  constructor(spec: SandboxSpec, script: FakeScript) {
    this.spec = spec;
    this.assignment = spec.assignment;
    this.#script = script;
  }

  get paths(): GuestPaths {
    const { runtime = '/var/runtime', language = '/var/lang' } = this.spec.directories;
    const { task = '/var/task', opt = '/opt', cache = '/cache' } = this.assignment ?? {};
    return { runtime, language, task, opt, cache, tmp: '/tmp' };
  }

  async assign(assignment: SandboxAssignment): Promise<void> {
    await this.#script.onAssign?.(this, assignment);
    this.assignment = assignment;
  }

  async start(command: GuestCommand): Promise<GuestProcess> {
    const guest = new FakeGuest(this, command);
    this.guests.push(guest);
    await this.#script.onStart(guest);
    return guest.process;
  }

  limitCpu(limited: boolean): void {
    this.cpuLimited = limited;
  }

  memoryPeakBytes(): number | undefined {
    return this.peakBytes;
  }

  freeze(): void {
    this.frozen = true;
  }

  thaw(): void {
    this.frozen = false;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    await this.#script.onDispose?.(this.spec);
  }
}

/** A guest as the test that plays it sees it: the other ends of its descriptors, and its exit. */
export class FakeGuest {
  readonly sandbox: FakeSandbox;
  readonly command: GuestCommand;
  /** The guest's end of the channel. */
  readonly channel: Duplex;
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly log = new PassThrough();
  /** True once the server has asked the program to end. */
  terminated = false;
  /** What the server holds. */
  readonly process: GuestProcess;
  /** Plays what the program does when it is asked to end; nothing where it is not set. */
  onTerminate: (() => void) | undefined;
  readonly #exited = Promise.withResolvers<GuestExit>();

  constructor(sandbox: FakeSandbox, command: GuestCommand) {
    this.sandbox = sandbox;
    this.command = command;
    const [channel, serverChannel] = duplexPair();
    this.channel = channel;
    const hasChannel = command.descriptors === 'channel';
    this.process = {
      channel: hasChannel ? serverChannel : undefined,
      stdout: this.stdout,
      stderr: this.stderr,
      log: hasChannel ? this.log : undefined,
      exited: this.#exited.promise,
      terminate: () => {
        this.terminated = true;
        this.onTerminate?.();
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
  readonly onAssign?: (sandbox: FakeSandbox, to: SandboxAssignment) => void | Promise<void>;
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
  readonly capabilities = { assignsRunning: true, forksGuests: false };
  readonly #script: FakeScript;

  constructor(script: FakeScript) {
    this.#script = script;
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const script = this.#script;
    await script.onCreate?.(spec, signal);
    signal.throwIfAborted();
    return new FakeSandbox(spec, script);
  }

  async sweep(): Promise<void> {}

  async [Symbol.asyncDispose](): Promise<void> {}
}
