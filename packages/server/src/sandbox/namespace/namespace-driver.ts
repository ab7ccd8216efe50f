import { type EnforcementFact, enforcementOf } from '../enforcement-facts.ts';
import { type DriverCore, GuardedDriver } from '../guarded-driver.ts';
import {
  type GuestCommand,
  type GuestProcess,
  type Sandbox,
  type SandboxDriver,
  type SandboxEnforcement,
  SandboxError,
  type SandboxSpec,
} from '../sandbox.ts';
import { HostNetwork } from '../host-network.ts';
import { bwrapArguments, GUEST_PATHS, type GuestFolders } from './bwrap-arguments.ts';
import type { LaunchPlan } from './launch-bwrap.ts';
import { type MeasuredGuest, startNamespaceGuest } from './namespace-guest.ts';
import { NamespaceHost, type SandboxPlace } from './namespace-host.ts';
import { findSandboxPrograms, type SandboxPrograms } from './sandbox-programs.ts';
import type { SystemImage } from './system-image.ts';

/**
 * Sandboxes made of Linux namespaces by bubblewrap. As root each environment also has a user, a
 * sized /tmp and control groups of its own.
 *
 * @param dataDir absolute; the instance's record, and without root the folders, are made in `run`
 * @throws SandboxError where the machine does not allow it
 */
export async function openNamespaceDriver(
  dataDir: string,
): Promise<{ readonly driver: SandboxDriver; readonly facts: readonly EnforcementFact[] }> {
  const programs = findSandboxPrograms();
  let host: NamespaceHost;
  try {
    host = await NamespaceHost.open(dataDir);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SandboxError(`Cannot prepare sandboxes: ${reason}`, { cause: error });
  }
  const facts = namespaceFacts(host);
  const driver = new GuardedDriver(new NamespaceDriver(host, programs, enforcementOf(facts)));
  return { driver, facts };
}

class NamespaceDriver implements DriverCore {
  readonly name = 'namespace';
  readonly enforcement: SandboxEnforcement;
  readonly capabilities = { assignsRunning: false };
  readonly #host: NamespaceHost;
  readonly #programs: SandboxPrograms;

  constructor(host: NamespaceHost, programs: SandboxPrograms, enforcement: SandboxEnforcement) {
    this.#host = host;
    this.#programs = programs;
    this.enforcement = enforcement;
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    await this.#host.image.refresh();
    const place = await this.#host.createPlace(spec);
    if (signal.aborted) {
      await place[Symbol.asyncDispose]();
      throw new SandboxError('it was aborted', { cause: signal.reason });
    }
    const plan: LaunchPlan = {
      calls: this.#host.calls,
      programs: this.#programs,
      tag: this.#host.instance.tagPlan()?.tag,
      user: place.user,
      group: place.group,
    };
    return new NamespaceSandbox(plan, this.#host.image, place);
  }

  sweep(): Promise<void> {
    return this.#host.instance.sweepDead();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#host[Symbol.asyncDispose]();
  }
}

class NamespaceSandbox implements Sandbox {
  readonly paths = GUEST_PATHS;
  readonly #plan: LaunchPlan;
  readonly #image: SystemImage;
  readonly #folders: GuestFolders;
  readonly #place: SandboxPlace;
  readonly network = new HostNetwork();
  #guest: MeasuredGuest | undefined;

  constructor(plan: LaunchPlan, image: SystemImage, place: SandboxPlace) {
    this.#plan = plan;
    this.#image = image;
    this.#folders = place.folders;
    this.#place = place;
  }

  async assign(): Promise<void> {
    throw new SandboxError('generic sandboxes are to come');
  }

  limitCpu(limited: boolean): void {
    this.#plan.group?.limitCpu(limited);
  }

  memoryPeakBytes(): number | undefined {
    return this.#plan.group?.memoryPeakBytes() ?? this.#guest?.memoryPeakBytes();
  }

  freeze(): void {}

  thaw(): void {}

  async start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess> {
    const parameters = bwrapArguments(this.#image.arguments, this.#folders, command);
    this.#guest = await startNamespaceGuest(this.#plan, parameters, command, signal);
    return this.#guest;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.network[Symbol.asyncDispose]();
    await this.#place[Symbol.asyncDispose]();
  }
}

const AS_ROOT = 'start Hearth as root';
const DELEGATE =
  'mount the controller in /sys/fs/cgroup, or run Hearth as a systemd service with Delegate=yes';

function namespaceFacts(host: NamespaceHost): EnforcementFact[] {
  const controlled = (
    property: keyof SandboxEnforcement,
    controller: 'memory' | 'cpu' | 'pids',
  ): EnforcementFact => {
    const reason = host.missingController(controller);
    if (reason === undefined) return { property, enforced: true };
    return { property, enforced: false, reason, remedy: host.isPrivileged ? DELEGATE : AS_ROOT };
  };
  const rootOnly = (property: keyof SandboxEnforcement, reason: string): EnforcementFact =>
    host.isPrivileged
      ? { property, enforced: true }
      : { property, enforced: false, reason, remedy: AS_ROOT };
  return [
    controlled('memory', 'memory'),
    controlled('cpu', 'cpu'),
    controlled('processes', 'pids'),
    rootOnly(
      'ephemeralStorage',
      '/tmp is a plain folder, as only root may mount one of a fixed size',
    ),
    { property: 'filesystem', enforced: true },
    { property: 'processIsolation', enforced: true },
    {
      property: 'network',
      enforced: false,
      reason: "functions share the host's network",
      remedy: undefined,
    },
    { property: 'systemCalls', enforced: false, reason: 'no filter is loaded', remedy: undefined },
    rootOnly('user', 'functions run as the user of the server'),
    { property: 'freeze', enforced: false, reason: 'it is to come', remedy: undefined },
  ];
}
