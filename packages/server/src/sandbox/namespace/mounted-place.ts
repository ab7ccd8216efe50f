import { chownSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import type { CredentialCalls } from '../../system-calls/credential-calls.ts';
import type { LinuxSystemCalls } from '../../system-calls/linux-system-calls.ts';
import type { SandboxAssignment, SandboxSizes, SandboxSpec } from '../sandbox.ts';
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
const SHOWN = ['task', 'opt', 'cache'] as const;
const TEMPORARY = 'tmp';

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
 * The place of a sandbox whose server is root: a user, a control group, and a folder. Where processes
 * run before the sandbox is assigned, the folder is shared with their mount namespaces. Bubblewrap
 * binds the folders in it to /var/task and so on; what the server mounts on them later appears inside,
 * too. Where the assignment comes first, only its /tmp is mounted there: every mount makes every
 * later start on the machine slower.
 */
export class MountedPlace implements SandboxPlace {
  readonly userScope: UserScope;
  readonly group: ControlGroup;
  readonly #privileges: Privileges;
  readonly #user: HostUser;
  readonly #folder: string;
  readonly #isShared: boolean;
  #folders: GuestFolders;
  /** What is given back once nothing is mounted in the folder any more. */
  readonly #used: AsyncDisposableStack;
  #temporaryMb: number | undefined;

  private constructor(
    privileges: Privileges,
    user: HostUser,
    group: ControlGroup,
    directories: Pick<GuestFolders, 'runtime' | 'language'>,
    folder: string,
    isShared: boolean,
    used: AsyncDisposableStack,
  ) {
    this.#privileges = privileges;
    this.#user = user;
    this.userScope = new UserScope(privileges.credentials, user);
    this.group = group;
    this.#folder = folder;
    this.#used = used;
    this.#isShared = isShared;
    const shown = (name: string): string | undefined => (isShared ? join(folder, name) : undefined);
    this.#folders = {
      ...directories,
      task: shown('task'),
      opt: shown('opt'),
      cache: shown('cache'),
      tmp: join(folder, TEMPORARY),
    };
  }

  static async create(
    privileges: Privileges,
    { environmentId, directories: { runtime, language }, likely, assignment }: SandboxSpec,
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
    const isShared = assignment === undefined;
    makePlaceFolder(calls, folder, user, isShared);
    const owned = used.move();
    const place = new MountedPlace(privileges, user, group, directories, folder, isShared, owned);
    if (likely === undefined || !isShared) return place;
    try {
      await place.#size(likely);
      return place;
    } catch (error) {
      await place[Symbol.asyncDispose]();
      throw error;
    }
  }

  get folders(): GuestFolders {
    return this.#folders;
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

  async #show(acquiring: Promise<StagedDirectory>, name: (typeof SHOWN)[number]): Promise<void> {
    const directory = await acquiring;
    this.#used.defer(() => directory.release());
    if (this.#isShared) {
      mountAgain(this.#privileges.calls, directory.path, join(this.#folder, name));
    } else {
      this.#folders = { ...this.#folders, [name]: directory.path };
    }
  }

  async #mountTemporary(sizeMb: number): Promise<void> {
    const target = join(this.#folder, TEMPORARY);
    // On top of one that was made ahead: what a process sees already cannot be taken from below it.
    const mounted = await this.#privileges.temporary.mount(target, sizeMb);
    this.#used.defer(() => mounted.release());
    this.#temporaryMb = sizeMb;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const mounted = this.#isShared ? this.#folder : join(this.#folder, TEMPORARY);
    await unmountIfMounted(this.#privileges.calls, mounted);
    for (const name of foldersIn(this.#isShared)) rmdirSync(join(this.#folder, name));
    rmdirSync(this.#folder);
    await this.#used.disposeAsync();
  }
}

function foldersIn(isShared: boolean): readonly string[] {
  return isShared ? [...SHOWN, TEMPORARY] : [TEMPORARY];
}

/** Only the sandbox's user may enter the folder. Leaves nothing behind where it fails. */
function makePlaceFolder(
  calls: LinuxSystemCalls,
  folder: string,
  { uid, gid }: HostUser,
  isShared: boolean,
): void {
  makeFolder(folder, 0o700);
  const made = [folder];
  try {
    for (const name of foldersIn(isShared)) {
      const path = join(folder, name);
      makeFolder(path, 0o755);
      made.unshift(path);
    }
    chownSync(folder, uid, gid);
    if (isShared) mountShared(calls, folder);
  } catch (error) {
    for (const path of made) rmdirSync(path);
    throw error;
  }
}
