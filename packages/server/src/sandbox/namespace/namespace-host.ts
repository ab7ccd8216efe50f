import { chmod, mkdir, realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { removeTree } from '../../files/remove-tree.ts';
import {
  type LinuxSystemCalls,
  loadLinuxSystemCalls,
} from '../../system-calls/linux-system-calls.ts';
import { loadMountTreeCalls } from '../../system-calls/mount-tree-calls.ts';
import {
  type SandboxAssignment,
  type SandboxDirectories,
  SandboxError,
  type SandboxSpec,
} from '../sandbox.ts';
import { ServerInstance } from '../server-instance.ts';
import type { GuestFolders } from './bwrap-arguments.ts';
import { checkCodeFolder } from './code-folder.ts';
import type { ControlGroup } from './control-group.ts';
import { ControlGroups, instanceGroups, planControlGroups } from './control-groups.ts';
import { MappedFolders } from './mapped-folders.ts';
import {
  createMountFolder,
  createMountRoot,
  makeFolder,
  MOUNT_ROOT,
  mountTemporary,
  removeMount,
  removeMountFolder,
} from './mount-folder.ts';
import { type StagedDirectory, StagedDirectories } from './staged-directories.ts';
import { SystemImage } from './system-image.ts';
import { type HostUser, UidRange } from './uid-range.ts';

/** One vCPU of AWS for each 1,769 MB. */
const MEMORY_MB_PER_CORE = 1_769;
const BYTES_PER_MB = 1_048_576;
const PROCESSES = 1_024;

/** What only root has on the host for its sandboxes. */
interface Privileges {
  readonly mountFolder: string;
  readonly users: UidRange;
  readonly staged: StagedDirectories;
  readonly groups: ControlGroups;
}

/** What one sandbox has on the host, and how it is taken away. */
export interface SandboxPlace extends AsyncDisposable {
  readonly folders: GuestFolders;
  /** On the host; undefined where it is the server's own. */
  readonly user: HostUser | undefined;
  readonly group: ControlGroup | undefined;
}

/** What a server instance has on the host for its sandboxes: folders, mounts, users and groups. */
export class NamespaceHost implements AsyncDisposable {
  readonly calls: LinuxSystemCalls;
  readonly instance: ServerInstance;
  readonly image: SystemImage;
  readonly #privileges: Privileges | undefined;
  readonly #dataDir: string;
  readonly #owned: AsyncDisposableStack;

  private constructor(
    calls: LinuxSystemCalls,
    instance: ServerInstance,
    image: SystemImage,
    privileges: Privileges | undefined,
    dataDir: string,
    owned: AsyncDisposableStack,
  ) {
    this.calls = calls;
    this.instance = instance;
    this.image = image;
    this.#privileges = privileges;
    this.#dataDir = dataDir;
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
    let privileges: Privileges | undefined;
    if (plan !== undefined) {
      createMountRoot();
      const users = owned.use(UidRange.claim(instance.id));
      owned.defer(() => removeMountFolder(calls, instance.id));
      const mountFolder = createMountFolder(calls, instance.id, users.gid);
      for (const name of ['directories', 'mapped', 'tmp']) {
        makeFolder(join(mountFolder, name), 0o711);
      }
      const mapped = new MappedFolders(
        calls,
        await loadMountTreeCalls(),
        join(mountFolder, 'mapped'),
      );
      privileges = {
        mountFolder,
        users,
        staged: new StagedDirectories(calls, join(mountFolder, 'directories'), mapped),
        groups: owned.use(ControlGroups.open(plan, instance.id)),
      };
    }
    const image = new SystemImage(privileges?.mountFolder ?? instance.folder);
    return new NamespaceHost(
      calls,
      instance,
      image,
      privileges,
      await realpath(dataDir),
      owned.move(),
    );
  }

  /** True where the server is root: users, mounts and control groups of its own. */
  get isPrivileged(): boolean {
    return this.#privileges !== undefined;
  }

  /** Why a limit of control groups cannot be set; undefined where it is. */
  missingController(controller: 'memory' | 'cpu' | 'pids'): string | undefined {
    if (this.#privileges === undefined) return 'the server does not run as root';
    return this.#privileges.groups.missing[controller];
  }

  /** Makes a sandbox's folders, mounts, user and control group. */
  async createPlace(spec: SandboxSpec): Promise<SandboxPlace> {
    await using owned = new AsyncDisposableStack();
    const privileges = this.#privileges;
    const user = privileges?.users.acquire();
    if (user !== undefined) owned.defer(() => privileges?.users.release(user));
    const { assignment } = spec;
    if (assignment === undefined) throw new SandboxError('generic sandboxes are to come');
    const folders = await this.#show({ ...spec.directories, ...assignment }, user, owned);
    const tmp = await this.#createTmp(spec, assignment.ephemeralStorageMb, owned);
    const group = privileges?.groups.create(spec.environmentId, {
      // Pages of the tmpfs on /tmp are charged to who wrote them, so the limit has room for them.
      memoryBytes: (assignment.memoryMb + assignment.ephemeralStorageMb) * BYTES_PER_MB,
      cpuCores: assignment.memoryMb / MEMORY_MB_PER_CORE,
      processes: PROCESSES,
    });
    if (group !== undefined) owned.use(group);
    const kept = owned.move();
    return {
      folders: { ...folders, tmp },
      user,
      group,
      [Symbol.asyncDispose]: () => kept.disposeAsync(),
    };
  }

  /** Puts the folders where the user can read them. */
  async #show(
    { task, taskInPlace = false, runtime, language, opt }: SandboxDirectories & SandboxAssignment,
    user: HostUser | undefined,
    owned: AsyncDisposableStack,
  ): Promise<Omit<GuestFolders, 'tmp'>> {
    if (taskInPlace) checkCodeFolder(task, [this.#dataDir, MOUNT_ROOT]);
    const staged = this.#privileges?.staged;
    if (staged === undefined || user === undefined) return { task, runtime, language, opt };
    const kept = async (acquired: Promise<StagedDirectory>): Promise<string> => {
      const directory = await acquired;
      owned.defer(() => directory.release());
      return directory.path;
    };
    const all = [
      kept(taskInPlace ? staged.acquireInPlace(task, user) : staged.acquire(task, user)),
      runtime === undefined ? Promise.resolve(runtime) : kept(staged.acquireTree(runtime, user)),
      language === undefined ? Promise.resolve(language) : kept(staged.acquire(language, user)),
      opt === undefined ? Promise.resolve(opt) : kept(staged.acquire(opt, user)),
    ] as const;
    // Where one fails, what the others are still acquiring has to be known before it is given back.
    await Promise.allSettled(all);
    const paths = await Promise.all(all);
    return { task: paths[0], runtime: paths[1], language: paths[2], opt: paths[3] };
  }

  async #createTmp(
    spec: SandboxSpec,
    sizeMb: number,
    owned: AsyncDisposableStack,
  ): Promise<string> {
    if (this.#privileges === undefined) {
      const folder = join(this.instance.folder, spec.environmentId);
      owned.defer(() => removeTree(folder));
      const tmp = join(folder, 'tmp');
      await mkdir(tmp, { recursive: true });
      await chmod(tmp, 0o1777);
      return tmp;
    }
    const tmp = join(this.#privileges.mountFolder, 'tmp', spec.environmentId);
    mountTemporary(this.calls, tmp, sizeMb);
    owned.defer(() => removeMount(this.calls, tmp));
    return tmp;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#owned.disposeAsync();
  }
}
