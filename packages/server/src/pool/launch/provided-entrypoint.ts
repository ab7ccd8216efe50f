import { executableState, type ExecutableFolders } from './executable-state.ts';

/** The program of a `provided.*` runtime: where it is, or why it cannot be started. */
export type Entrypoint =
  | { readonly kind: 'found'; readonly folder: 'task' | 'opt' }
  | { readonly kind: 'invalid'; readonly message: string };

export const ENTRYPOINT_NAME = 'bootstrap';

/** Where AWS looks, in its order. */
const PLACES = [
  { folder: 'task', path: `/var/task/${ENTRYPOINT_NAME}` },
  { folder: 'opt', path: `/opt/${ENTRYPOINT_NAME}` },
] as const;

/**
 * Looks for `/var/task/bootstrap`, then `/opt/bootstrap`, and says in AWS's words why it cannot be
 * started. Told beforehand, since a sandbox's launcher would report it as an exit of the function; as
 * in AWS, the second is not tried where the first is there but does not run.
 */
export async function findEntrypoint(
  folders: ExecutableFolders,
  machine: NodeJS.Architecture,
): Promise<Entrypoint> {
  for (const { folder, path } of PLACES) {
    const root = folders[folder];
    if (root === undefined) continue;
    const state = await executableState(root, ENTRYPOINT_NAME, folders, machine);
    if (state === 'absent') continue;
    if (state === 'runs') return { kind: 'found', folder };
    return { kind: 'invalid', message: `fork/exec ${path}: ${state}` };
  }
  const places = PLACES.map(({ path }) => path).join(' ');
  return { kind: 'invalid', message: `Couldn't find valid bootstrap(s): [${places}]` };
}
