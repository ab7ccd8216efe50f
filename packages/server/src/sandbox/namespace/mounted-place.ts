import { chownSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CredentialCalls } from '../../system-calls/credential-calls.ts';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import type { SandboxAssignment, SandboxDirectories, SandboxSizes } from '../sandbox.ts';
import type { GuestFolders } from './bwrap-arguments.ts';
import type { ControlGroup } from './control-group.ts';
import type { ControlGroups } from './control-groups.ts';
import { makeFolder, mountAgain, mountShared, unmountIfMounted } from './mount-folder.ts';
import type { SandboxPlace } from './sandbox-place.ts';
import type { StagedDirectories, StagedDirectory } from './staged-directories.ts';
import type { TemporaryFolders } from './temporary-folders.ts';
import type { HostUser, UidRange } from './uid-range.ts';
import { UserScope } from './user-scope.ts';

/** One vCPU of AWS for each 1,769 MB. */
const MEMORY_MB_PER_CORE = 1_769;
const BYTES_PER_MB = 1_048_576;
/** Processes and threads of an environment, as on AWS. */
export const PROCESSES = 1_024;

/** Folders of an assignment: empty, and nobody's to write to, until something is mounted on them. */
const ASSIGNED = ['task', 'opt', 'cache', 'tmp'] as const;

const NOTHING = Promise.resolve(undefined);

/** What root has on the host for its sandboxes. */
export interface Privileges {
  readonly calls: LinuxSystemCalls;
  readonly credentials: CredentialCalls;
  /** Where a folder is made for each sandbox. */
  readonly sandboxes: string;
  readonly users: UidRange;
  readonly staged: StagedDirectories;
  readonly groups: ControlGroups;
  readonly temporary: TemporaryFolders;
  /** @throws CodeFolderError for a folder that must not run in place */
  readonly checkCodeFolder: (task: string) => void;
}

/**
 * The place of a sandbox whose server is root: a user, a control group, and a folder that is shared
 * with the mount namespaces of its processes. Bubblewrap binds the folders in it to /var/task and so
 * on; what the server mounts on them later appears inside, too, while processes run.
 */
export class MountedPlace implements SandboxPlace {
  readonly userScope: UserScope;
  readonly group: ControlGroup;
  readonly folders: GuestFolders;
  readonly #privileges: Privileges;
  readonly #user: HostUser;
  readonly #folder: string;
  /** What is given back once nothing is mounted in the folder any more. */
  readonly #used: AsyncDisposableStack;
  #temporaryMb: number | undefined;

  private constructor(
    privileges: Privileges,
    user: HostUser,
    group: ControlGroup,
    directories: Pick<GuestFolders, 'runtime' | 'language'>,
    folder: string,
    used: AsyncDisposableStack,
  ) {
    this.#privileges = privileges;
    this.#user = user;
    this.userScope = new UserScope(privileges.credentials, user);
    this.group = group;
    this.#folder = folder;
    this.#used = used;
    this.folders = {
      ...directories,
      task: join(folder, 'task'),
      opt: join(folder, 'opt'),
      cache: join(folder, 'cache'),
      tmp: join(folder, 'tmp'),
    };
  }

  static async create(
    privileges: Privileges,
    environmentId: string,
    { runtime, language }: SandboxDirectories,
    likely: SandboxSizes | undefined,
  ): Promise<MountedPlace> {
    await using used = new AsyncDisposableStack();
    const { users, staged, groups, calls } = privileges;
    const user = users.acquire();
    used.defer(() => users.release(user));
    const kept = async (acquiring: Promise<StagedDirectory>): Promise<string> => {
      const directory = await acquiring;
      used.defer(() => directory.release());
      return directory.path;
    };
    const acquiring = [
      runtime === undefined ? NOTHING : kept(staged.acquireTree(runtime, user)),
      language === undefined ? NOTHING : kept(staged.acquire(language, user)),
    ] as const;
    // Where one fails, what the other is still acquiring has to be known before it is given back.
    await Promise.allSettled(acquiring);
    const directories = { runtime: await acquiring[0], language: await acquiring[1] };
    const folder = join(privileges.sandboxes, environmentId);
    const group = used.use(groups.create(environmentId, PROCESSES));
    makeSharedFolder(calls, folder, user);
    const place = new MountedPlace(privileges, user, group, directories, folder, used.move());
    if (likely === undefined) return place;
    try {
      await place.#size(likely);
      return place;
    } catch (error) {
      await place[Symbol.asyncDispose]();
      throw error;
    }
  }

  async assign(assignment: SandboxAssignment): Promise<void> {
    const { task, opt, cache } = assignment;
    const { staged } = this.#privileges;
    if (assignment.taskInPlace === true) this.#privileges.checkCodeFolder(task);
    const mounting = [
      this.#show(
        assignment.taskInPlace === true
          ? staged.acquireInPlace(task, this.#user)
          : staged.acquireMounted(task, this.#user),
        'task',
      ),
      opt === undefined ? NOTHING : this.#show(staged.acquireMounted(opt, this.#user), 'opt'),
      cache === undefined ? NOTHING : this.#show(staged.acquireMounted(cache, this.#user), 'cache'),
      this.#size(assignment),
    ];
    await Promise.allSettled(mounting);
    await Promise.all(mounting);
    this.group.countPeakAnew();
  }

  async #size({ memoryMb, ephemeralStorageMb }: SandboxSizes): Promise<void> {
    const { chargedAsMemory } = this.#privileges.temporary;
    const chargedMb = memoryMb + (chargedAsMemory ? ephemeralStorageMb : 0);
    this.group.limit({
      memoryBytes: chargedMb * BYTES_PER_MB,
      cpuCores: memoryMb / MEMORY_MB_PER_CORE,
    });
    if (this.#temporaryMb === ephemeralStorageMb) return;
    await this.#mountTemporary(ephemeralStorageMb);
  }

  async #show(acquiring: Promise<StagedDirectory>, name: (typeof ASSIGNED)[number]): Promise<void> {
    const directory = await acquiring;
    this.#used.defer(() => directory.release());
    mountAgain(this.#privileges.calls, directory.path, join(this.#folder, name));
  }

  async #mountTemporary(sizeMb: number): Promise<void> {
    const target = join(this.#folder, 'tmp');
    // On top of one that was made ahead: what a process sees already cannot be taken from below it.
    const mounted = await this.#privileges.temporary.mount(target, sizeMb);
    this.#used.defer(() => mounted.release());
    this.#temporaryMb = sizeMb;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await unmountIfMounted(this.#privileges.calls, this.#folder);
    for (const name of ASSIGNED) rmdirSync(join(this.#folder, name));
    rmdirSync(this.#folder);
    await this.#used.disposeAsync();
  }
}

/** Only the sandbox's user may enter the folder. Leaves nothing behind where it fails. */
function makeSharedFolder(calls: LinuxSystemCalls, folder: string, { uid, gid }: HostUser): void {
  makeFolder(folder, 0o700);
  const made = [folder];
  try {
    for (const name of ASSIGNED) {
      const path = join(folder, name);
      makeFolder(path, 0o755);
      made.unshift(path);
    }
    chownSync(folder, uid, gid);
    mountShared(calls, folder);
  } catch (error) {
    for (const path of made) rmdirSync(path);
    throw error;
  }
}
