import type { SandboxAssignment } from '../sandbox.ts';
import type { GuestFolders } from './bwrap-arguments.ts';
import type { ControlGroup } from './control-group.ts';
import type { SpawnScope } from './spawn-scope.ts';

/** What one sandbox has on the host, and how it is taken away. */
export interface SandboxPlace extends AsyncDisposable {
  /** What programs that are started now get to see. */
  readonly folders: GuestFolders;
  /** Makes a process that of the sandbox's user; undefined where that is the server's own. */
  readonly userScope: SpawnScope | undefined;
  readonly group: ControlGroup | undefined;
  /** Called once at most. What fails leaves things behind that dispose removes. */
  assign(assignment: SandboxAssignment): Promise<void>;
  /** Called once, when no process of the sandbox is left. */
  [Symbol.asyncDispose](): Promise<void>;
}
