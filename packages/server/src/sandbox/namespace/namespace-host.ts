import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { loadCredentialCalls } from '../../system-calls/credential-calls.ts';
import type { Clock } from '../../clock/clock.ts';
import { loadMountTreeCalls } from '../../system-calls/mount-tree-calls.ts';
import type { SandboxSpec } from '../sandbox.ts';
import { ServerInstance } from '../server-instance.ts';
import { checkCodeFolder as checkOwnFolders } from './code-folder.ts';
import { ControlGroups, instanceGroups, planControlGroups } from './control-groups.ts';
import { MappedFolders } from './mapped-folders.ts';
import {
  createMountFolder,
  createMountRoot,
  makeFolder,
  MOUNT_ROOT,
  removeMountFolder,
} from './mount-folder.ts';
import { MountedPlace, type Privileges } from './mounted-place.ts';
import { OwnUserPlace } from './own-user-place.ts';
import {
  type InstanceNetwork,
  openInstanceNetwork,
  removeInstanceNetwork,
  sharedNetwork,
} from './network/instance-network.ts';
import type { EgressChoice } from './network/network-facts.ts';
import type { SandboxPlace } from './sandbox-place.ts';
import { SeccompFilter } from './seccomp/seccomp-filter.ts';
import { loadProcessCalls, type ProcessCalls } from './spawned-process.ts';
import { StagedDirectories } from './staged-directories.ts';
import { SystemImage } from './system-image.ts';
import { type DiskObstacle, openTemporaryFolders } from './storage/open-temporary-folders.ts';
import { UidRange } from './uid-range.ts';

export interface HostOptions {
  /** Where functions may connect to. */
  readonly egress: EgressChoice;
  readonly clock: Clock;
  /** Called where something does not work that can be done in another way. */
  readonly onFault: (what: string, cause: unknown) => void;
}

interface HostParts extends Pick<HostOptions, 'clock' | 'onFault'> {
  readonly processCalls: ProcessCalls;
  readonly instance: ServerInstance;
  readonly image: SystemImage;
  readonly network: InstanceNetwork;
  readonly filter: SeccompFilter | undefined;
  readonly diskObstacle: DiskObstacle | undefined;
  readonly privileges: Privileges | undefined;
  readonly checkCodeFolder: (task: string) => void;
}

/** What a server instance has on the host for its sandboxes: folders, mounts, users and groups. */
export class NamespaceHost implements AsyncDisposable {
  readonly processCalls: ProcessCalls;
  readonly instance: ServerInstance;
  readonly image: SystemImage;
  readonly network: InstanceNetwork;
  /** Undefined where system calls cannot be filtered. */
  readonly filter: SeccompFilter | undefined;
  /** Why /tmp is in memory; undefined where it is on disk, and where nothing caps it. */
  readonly diskObstacle: DiskObstacle | undefined;
  readonly clock: Clock;
  readonly onFault: HostOptions['onFault'];
  readonly #privileges: Privileges | undefined;
  readonly #checkCodeFolder: (task: string) => void;
  readonly #owned: AsyncDisposableStack;

  private constructor(parts: HostParts, owned: AsyncDisposableStack) {
    this.processCalls = parts.processCalls;
    this.instance = parts.instance;
    this.image = parts.image;
    this.network = parts.network;
    this.filter = parts.filter;
    this.diskObstacle = parts.diskObstacle;
    this.clock = parts.clock;
    this.onFault = parts.onFault;
    this.#privileges = parts.privileges;
    this.#checkCodeFolder = parts.checkCodeFolder;
    this.#owned = owned;
  }

  /** Rejects, and leaves nothing behind, where the machine does not allow it. */
  static async open(dataDir: string, options: HostOptions): Promise<NamespaceHost> {
    const { egress, clock, onFault } = options;
    const processCalls = await loadProcessCalls();
    const { calls } = processCalls;
    const isRoot = process.getuid?.() === 0;
    const plan = isRoot ? planControlGroups() : undefined;
    await using owned = new AsyncDisposableStack();
    const instance = await ServerInstance.open(dataDir, {
      property: (instanceId) => ({
        mounts: isRoot,
        controlGroups: plan === undefined ? [] : instanceGroups(plan, instanceId),
      }),
      removeNetwork: removeInstanceNetwork,
    });
    owned.use(instance);
    const ownFolders = [await realpath(dataDir), MOUNT_ROOT];
    const checkCodeFolder = (task: string): void => checkOwnFolders(task, ownFolders);
    const filter = SeccompFilter.open(calls);
    if (filter !== undefined) owned.use(filter);
    if (plan === undefined) {
      const network = owned.use(sharedNetwork(egress, 'the server does not run as root'));
      const image = new SystemImage(instance.folder, network, undefined);
      const parts = { processCalls, instance, image, network, filter, checkCodeFolder };
      return new NamespaceHost(
        { ...parts, clock, onFault, privileges: undefined, diskObstacle: undefined },
        owned.move(),
      );
    }
    createMountRoot();
    const users = owned.use(UidRange.claim(instance.id));
    owned.defer(() => removeMountFolder(calls, instance.id));
    const mountFolder = createMountFolder(calls, instance.id, users.gid);
    for (const name of ['directories', 'mapped', 'sandboxes']) {
      makeFolder(join(mountFolder, name), 0o711);
    }
    const mapped = new MappedFolders(
      calls,
      await loadMountTreeCalls(),
      join(mountFolder, 'mapped'),
    );
    const temporary = await openTemporaryFolders(calls, instance.folder);
    const privileges: Privileges = {
      calls,
      credentials: await loadCredentialCalls(),
      sandboxes: join(mountFolder, 'sandboxes'),
      users,
      staged: new StagedDirectories(calls, join(mountFolder, 'directories'), mapped),
      groups: owned.use(ControlGroups.open(plan, instance.id)),
      temporary: owned.use(temporary.folders),
      checkCodeFolder,
    };
    const network = owned.use(await openInstanceNetwork(instance.id, egress, clock));
    const image = new SystemImage(mountFolder, network, calls);
    const diskObstacle = temporary.obstacle;
    const parts = { processCalls, instance, image, network, filter, privileges };
    return new NamespaceHost(
      { ...parts, checkCodeFolder, clock, onFault, diskObstacle },
      owned.move(),
    );
  }

  /** True where the server is root: users, mounts and control groups of its own. */
  get isPrivileged(): boolean {
    return this.#privileges !== undefined;
  }

  /** Undefined where the server may make none. */
  get controlGroups(): ControlGroups | undefined {
    return this.#privileges?.groups;
  }

  /** Makes what a sandbox has on the host before it is assigned. Rejects, and leaves nothing behind, if it fails. */
  createPlace(spec: SandboxSpec): Promise<SandboxPlace> {
    if (this.#privileges !== undefined) return MountedPlace.create(this.#privileges, spec);
    const folder = join(this.instance.folder, spec.environmentId);
    return OwnUserPlace.create(spec.directories, folder, this.#checkCodeFolder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
