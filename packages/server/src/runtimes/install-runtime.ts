import type { RuntimeId } from '../domain/runtimes.ts';
import { MANAGED_RUNTIMES } from '../domain/runtimes.ts';
import { InstallError } from './install-error.ts';
import { installNode } from './install-node.ts';
import { installPython } from './install-python.ts';
import type { InstalledRuntime, InstallRequest } from './install-request.ts';

/**
 * Installs the newest interpreter of a runtime's version below the data folder, where the catalogue
 * finds it; replaces an older one. Rejects with an InstallError, or as the signal says, and leaves
 * what was installed before.
 */
export async function installRuntime(
  runtime: RuntimeId,
  request: InstallRequest,
): Promise<InstalledRuntime> {
  const managed = MANAGED_RUNTIMES.get(runtime);
  if (managed === undefined) {
    const known = [...MANAGED_RUNTIMES.keys()].join(', ');
    throw new InstallError(
      `Cannot install runtime as it must be one of ${known}: received ${JSON.stringify(runtime)}`,
    );
  }
  return managed.family === 'nodejs'
    ? installNode(runtime, managed.languageVersion, request)
    : installPython(runtime, managed.languageVersion, request);
}
