import { SystemClock } from '../../clock/system-clock.ts';
import { type EnforcementFact, enforcementOf } from '../enforcement-facts.ts';
import { type DriverCore, GuardedDriver } from '../guarded-driver.ts';
import {
  type GuestCommand,
  type GuestProcess,
  type Sandbox,
  type SandboxAssignment,
  type SandboxCapabilities,
  type SandboxDirectories,
  type SandboxDriver,
  type SandboxEnforcement,
  SandboxError,
  type SandboxSpec,
} from '../sandbox.ts';
import type { GuestNetwork } from '../guest-network.ts';
import { bwrapArguments } from './bwrap-arguments.ts';
import { GUEST_PATHS } from './guest-paths.ts';
import type { LaunchPlan } from './launch-bwrap.ts';
import { startNamespaceGuest } from './namespace-guest.ts';
import { namespaceFacts } from './namespace-facts.ts';
import { type HostOptions, NamespaceHost } from './namespace-host.ts';
import { SandboxControl } from './sandbox-control.ts';
import type { SandboxPlace } from './sandbox-place.ts';
import { findSandboxPrograms, type SandboxPrograms } from './sandbox-programs.ts';
import { GuestForks } from './zygote/guest-forks.ts';
import type { SandboxKeeper } from './zygote/sandbox-keeper.ts';

/**
 * Sandboxes made of Linux namespaces by bubblewrap. As root each environment also has a user, a
 * sized /tmp and control groups of its own.
 *
 * @param dataDir absolute; the instance's record, and without root the folders, are made in `run`
 * @param options by default functions reach the internet
 * @throws SandboxError where the machine does not allow it
 */
export async function openNamespaceDriver(
  dataDir: string,
  options: Partial<HostOptions> = {},
): Promise<{ readonly driver: SandboxDriver; readonly facts: readonly EnforcementFact[] }> {
  const programs = findSandboxPrograms();
  let host: NamespaceHost;
  try {
    host = await NamespaceHost.open(dataDir, {
      egress: 'internet',
      clock: new SystemClock(),
      onFault: () => {},
      ...options,
    });
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new SandboxError(`Cannot prepare sandboxes: ${reason}`, { cause: error });
  }
  const facts = namespaceFacts(host);
  const forks = host.isPrivileged ? await openGuestForks(host, programs) : undefined;
  const driver = new GuardedDriver(
    new NamespaceDriver(host, programs, forks, enforcementOf(facts)),
  );
  return { driver, facts };
}

function openGuestForks(host: NamespaceHost, { bwrap }: SandboxPrograms): Promise<GuestForks> {
  const { image, filter, clock, onFault } = host;
  const newTag = () => host.instance.tagPlan()?.tag;
  return GuestForks.open({ ...host.processCalls, bwrap, image, newTag, filter, clock, onFault });
}

class NamespaceDriver implements DriverCore {
  readonly name = 'namespace';
  readonly enforcement: SandboxEnforcement;
  readonly capabilities: SandboxCapabilities;
  readonly #host: NamespaceHost;
  readonly #programs: SandboxPrograms;
  readonly #forks: GuestForks | undefined;

  constructor(
    host: NamespaceHost,
    programs: SandboxPrograms,
    forks: GuestForks | undefined,
    enforcement: SandboxEnforcement,
  ) {
    this.#host = host;
    this.#programs = programs;
    this.#forks = forks;
    this.enforcement = enforcement;
    this.capabilities = { assignsRunning: host.isPrivileged, forksGuests: forks !== undefined };
  }

  async create(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox> {
    const host = this.#host;
    await host.image.refresh();
    await using made = new AsyncDisposableStack();
    const place = made.use(await host.createPlace(spec));
    if (spec.assignment !== undefined) await place.assign(spec.assignment);
    const network = made.use(await host.network.networks.open(spec.environmentId));
    if (signal.aborted) throw new SandboxError('it was aborted', { cause: signal.reason });
    const { filter } = host;
    const plan: LaunchPlan = {
      ...host.processCalls,
      bwrap: this.#programs.bwrap,
      user: place.userScope,
      group: place.group,
      scopes: [network.scope, place.group].filter((scope) => scope !== undefined),
      addedDescriptors:
        filter === undefined ? [] : [{ option: '--seccomp', open: () => filter.openProgram() }],
    };
    const { directories } = spec;
    const forking = this.#forks && { forks: this.#forks, directories };
    return new NamespaceSandbox(host, plan, place, network, forking, made.move());
  }

  sweep(): Promise<void> {
    return this.#host.instance.sweepDead();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#forks?.[Symbol.asyncDispose]();
    await this.#host[Symbol.asyncDispose]();
  }
}

/** What a sandbox needs to have guests forked. */
interface Forking {
  readonly forks: GuestForks;
  readonly directories: SandboxDirectories;
}

class NamespaceSandbox implements Sandbox {
  readonly paths = GUEST_PATHS;
  readonly network: GuestNetwork;
  readonly #host: NamespaceHost;
  readonly #plan: LaunchPlan;
  readonly #place: SandboxPlace;
  readonly #control: SandboxControl;
  readonly #forking: Forking | undefined;
  readonly #made: AsyncDisposableStack;

  constructor(
    host: NamespaceHost,
    plan: LaunchPlan,
    place: SandboxPlace,
    network: GuestNetwork,
    forking: Forking | undefined,
    made: AsyncDisposableStack,
  ) {
    this.#host = host;
    this.#plan = plan;
    this.#place = place;
    this.#control = new SandboxControl(place.group);
    this.network = network;
    this.#forking = forking;
    this.#made = made;
  }

  async assign(assignment: SandboxAssignment): Promise<void> {
    await this.#place.assign(assignment);
  }

  async start(command: GuestCommand, signal: AbortSignal): Promise<GuestProcess> {
    checkWorkingFolder(command.cwd);
    const plan = this.#plan;
    const setting = { plan, control: this.#control };
    const tag = this.#host.instance.tagPlan()?.tag;
    if (command.forkable === true && this.#forking !== undefined) {
      const { forks, directories } = this.#forking;
      const keep = ({ command: keeper, options, hasStarted }: SandboxKeeper) => {
        const parameters = this.#bwrapArguments(keeper, options);
        return startNamespaceGuest(setting, tag, parameters, keeper, signal, hasStarted);
      };
      const forked = await forks.start(command, { setting, directories, tag, keep, signal });
      if (forked !== undefined) return forked;
    }
    const parameters = this.#bwrapArguments(command);
    return startNamespaceGuest(setting, tag, parameters, command, signal);
  }

  #bwrapArguments(command: GuestCommand, options: readonly string[] = []): string {
    const added = this.#plan.addedDescriptors.map(({ option }) => option);
    const { image } = this.#host;
    return bwrapArguments(image, this.#place.folders, command, added, options);
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

/**
 * Bubblewrap enters the working folder while it still has descriptors of the host's folders open, so
 * a path that leads there, by /proc or by a link that a function has made, is not taken at all.
 */
function checkWorkingFolder(path: string): void {
  if (WORKING_FOLDERS.has(path)) return;
  throw new SandboxError(
    `Cannot start a program in ${path} as its folder must be one of ${WORKING_FOLDER_NAMES}`,
  );
}

const WORKING_FOLDERS: ReadonlySet<string> = new Set([
  '/',
  GUEST_PATHS.task,
  GUEST_PATHS.opt,
  GUEST_PATHS.tmp,
]);
const WORKING_FOLDER_NAMES = [...WORKING_FOLDERS].join(', ');
