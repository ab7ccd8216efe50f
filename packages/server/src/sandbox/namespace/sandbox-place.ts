import type { SandboxAssignment } from '../sandbox.ts';
import type { GuestFolders } from './bwrap-arguments.ts';
import type { ControlGroup } from './control-group.ts';
import type { HostUser } from './uid-range.ts';

/** What one sandbox has on the host, and how it is taken away. */
export interface SandboxPlace extends AsyncDisposable {
  /** What programs that are started now get to see. */
  readonly folders: GuestFolders;
  /** On the host; undefined where it is the server's own. */
  readonly user: HostUser | undefined;
  readonly group: ControlGroup | undefined;
  /** Called once at most. What fails leaves things behind that dispose removes. */
  assign(assignment: SandboxAssignment): Promise<void>;
  /** Called once, when no process of the sandbox is left. */
  [Symbol.asyncDispose](): Promise<void>;
}
