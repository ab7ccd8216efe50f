import { type EnforcementFact, enforcementOf } from '../enforcement-facts.ts';
import { type DriverCore, GuardedDriver } from '../guarded-driver.ts';
import {
  type GuestCommand,
  type GuestProcess,
  type Sandbox,
  type SandboxAssignment,
  type SandboxCapabilities,
  type SandboxDriver,
  type SandboxEnforcement,
  SandboxError,
  type SandboxSpec,
} from '../sandbox.ts';
import type { GuestNetwork } from '../guest-network.ts';
import { bwrapArguments, GUEST_PATHS } from './bwrap-arguments.ts';
import type { Controller } from './control-group-files.ts';
import type { LaunchPlan } from './launch-bwrap.ts';
import { startNamespaceGuest } from './namespace-guest.ts';
import { NamespaceHost } from './namespace-host.ts';
import { SandboxControl } from './sandbox-control.ts';
import type { SandboxPlace } from './sandbox-place.ts';
import { findSandboxPrograms, type SandboxPrograms } from './sandbox-programs.ts';

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
  readonly capabilities: SandboxCapabilities;
  readonly #host: NamespaceHost;
  readonly #programs: SandboxPrograms;

  constructor(host: NamespaceHost, programs: SandboxPrograms, enforcement: SandboxEnforcement) {
    this.#host = host;
    this.#programs = programs;
    this.enforcement = enforcement;
    this.capabilities = { assignsRunning: host.isPrivileged };
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const host = this.#host;
    await host.image.refresh();
    await using made = new AsyncDisposableStack();
    const place = made.use(await host.createPlace(spec));
    if (spec.assignment !== undefined) await place.assign(spec.assignment);
    const network = made.use(await host.networks.open(spec.environmentId));
    if (signal.aborted) throw new SandboxError('it was aborted', { cause: signal.reason });
    const plan: LaunchPlan = {
      calls: host.calls,
      programs: this.#programs,
      user: place.user,
      group: place.group,
      scopes: [network.scope, place.group].filter((scope) => scope !== undefined),
      addedDescriptors: [],
    };
    return new NamespaceSandbox(host, plan, place, network, made.move());
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
  readonly network: GuestNetwork;
  readonly #host: NamespaceHost;
  readonly #plan: LaunchPlan;
  readonly #place: SandboxPlace;
  readonly #control: SandboxControl;
  readonly #made: AsyncDisposableStack;

  constructor(
    host: NamespaceHost,
    plan: LaunchPlan,
    place: SandboxPlace,
    network: GuestNetwork,
    made: AsyncDisposableStack,
  ) {
    this.#host = host;
    this.#plan = plan;
    this.#place = place;
    this.#control = new SandboxControl(place.group);
    this.network = network;
    this.#made = made;
  }

  async assign(assignment: SandboxAssignment): Promise<void> {
    await this.#place.assign(assignment);
  }

  async start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess> {
    const plan = this.#plan;
    const parameters = bwrapArguments(
      this.#host.image.arguments,
      this.#place.folders,
      command,
      plan.addedDescriptors.map(({ option }) => option),
    );
    const tag = this.#host.instance.tagPlan()?.tag;
    const setting = { plan, control: this.#control };
    return startNamespaceGuest(setting, tag, parameters, command, signal);
  }

  limitCpu(limited: boolean): void {
    this.#control.limitCpu(limited);
  }

  memoryPeakBytes(): number | undefined {
    return this.#control.memoryPeakBytes();
  }

  freeze(): void {
    this.#control.freeze(true);
  }

  thaw(): void {
    this.#control.freeze(false);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#made.disposeAsync();
  }
}

const AS_ROOT = 'start Hearth as root';
const DELEGATE =
  'mount the controller in /sys/fs/cgroup, or run Hearth as a systemd service with Delegate=yes';

function namespaceFacts(host: NamespaceHost): EnforcementFact[] {
  const controlled = (
    property: keyof SandboxEnforcement,
    controller: Controller,
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
    controlled('freeze', 'freezer'),
  ];
}
