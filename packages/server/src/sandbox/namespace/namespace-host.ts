import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type LinuxSystemCalls,
  loadLinuxSystemCalls,
} from '../../system-calls/linux-system-calls.ts';
import { loadMountTreeCalls } from '../../system-calls/mount-tree-calls.ts';
import type { SandboxSpec } from '../sandbox.ts';
import { ServerInstance } from '../server-instance.ts';
import { checkCodeFolder as checkOwnFolders } from './code-folder.ts';
import type { Controller } from './control-group-files.ts';
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
import { HostNetworks, type SandboxNetworks } from './sandbox-networks.ts';
import type { SandboxPlace } from './sandbox-place.ts';
import { StagedDirectories } from './staged-directories.ts';
import { SystemImage } from './system-image.ts';
import { MemoryFolders } from './temporary-folders.ts';
import { UidRange } from './uid-range.ts';

/** What a server instance has on the host for its sandboxes: folders, mounts, users and groups. */
export class NamespaceHost implements AsyncDisposable {
  readonly calls: LinuxSystemCalls;
  readonly instance: ServerInstance;
  readonly image: SystemImage;
  readonly networks: SandboxNetworks;
  readonly #privileges: Privileges | undefined;
  readonly #checkCodeFolder: (task: string) => void;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    calls: LinuxSystemCalls,
    instance: ServerInstance,
    image: SystemImage,
    networks: SandboxNetworks,
    privileges: Privileges | undefined,
    checkCodeFolder: (task: string) => void,
    owned: AsyncDisposableStack,
  ) {
    this.calls = calls;
    this.instance = instance;
    this.image = image;
    this.networks = networks;
    this.#privileges = privileges;
    this.#checkCodeFolder = checkCodeFolder;
    this.#owned = owned;
  }

  /** Rejects, and leaves nothing behind, where the machine does not allow it. */
  static async open(dataDir: string): Promise<NamespaceHost> {
    const calls = await loadLinuxSystemCalls();
    const isRoot = process.getuid?.() === 0;
    const plan = isRoot ? planControlGroups() : undefined;
    await using owned = new AsyncDisposableStack();
    const instance = await ServerInstance.open(dataDir, (instanceId) => ({
      mounts: isRoot,
      controlGroups: plan === undefined ? [] : instanceGroups(plan, instanceId),
    }));
    owned.use(instance);
    const ownFolders = [await realpath(dataDir), MOUNT_ROOT];
    const checkCodeFolder = (task: string): void => checkOwnFolders(task, ownFolders);
    let privileges: Privileges | undefined;
    let imageFolder = instance.folder;
    if (plan !== undefined) {
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
      privileges = {
        calls,
        sandboxes: join(mountFolder, 'sandboxes'),
        users,
        staged: new StagedDirectories(calls, join(mountFolder, 'directories'), mapped),
        groups: owned.use(ControlGroups.open(plan, instance.id)),
        temporary: owned.use(new MemoryFolders(calls)),
        checkCodeFolder,
      };
      imageFolder = mountFolder;
    }
    const image = new SystemImage(imageFolder);
    const networks = owned.use(new HostNetworks());
    return new NamespaceHost(
      calls,
      instance,
      image,
      networks,
      privileges,
      checkCodeFolder,
      owned.move(),
    );
  }

  /** True where the server is root: users, mounts and control groups of its own. */
  get isPrivileged(): boolean {
    return this.#privileges !== undefined;
  }

  /** Why a limit of control groups cannot be set; undefined where it is. */
  missingController(controller: Controller): string | undefined {
    if (this.#privileges === undefined) return 'the server does not run as root';
    return this.#privileges.groups.missing[controller];
  }

  /** Makes what a generic sandbox has on the host. Rejects, and leaves nothing behind, if it fails. */
  createPlace({ environmentId, directories }: SandboxSpec): Promise<SandboxPlace> {
    if (this.#privileges !== undefined) {
      return MountedPlace.create(this.#privileges, environmentId, directories);
    }
    const folder = join(this.instance.folder, environmentId);
    return OwnUserPlace.create(directories, folder, this.#checkCodeFolder);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
