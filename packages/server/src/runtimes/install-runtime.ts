import type { RuntimeId } from '../domain/runtimes.ts';
import { MANAGED_RUNTIMES } from '../domain/runtimes.ts';
import { InstallError } from './install-error.ts';
import { installJava } from './install-java.ts';
import { installNode } from './install-node.ts';
import { installPython } from './install-python.ts';
import type { InstalledRuntime, InstallRequest } from './install-request.ts';

/**
 * Installs the newest interpreter of a runtime's version below the data folder, where it is found;
 * replaces an older one. For Java that is AWS's client, and a Java only where the machine has none of
 * that version. Rejects with an InstallError, or as the signal says, and leaves what was installed
 * before.
 */
export async function installRuntime(
  runtime: RuntimeId,
  request: InstallRequest,
): Promise<InstalledRuntime> {
  const managed = MANAGED_RUNTIMES.get(runtime);
  if (managed === undefined || managed.family === 'provided') {
    const known = [...MANAGED_RUNTIMES]
      .filter(([, { family }]) => family !== 'provided')
      .map(([id]) => id)
      .join(', ');
    throw new InstallError(
      `Cannot install runtime as it must be one of ${known}: received ${JSON.stringify(runtime)}`,
    );
  }
  const { family, languageVersion } = managed;
  if (family === 'java') return installJava(runtime, languageVersion, request);
  return family === 'nodejs'
    ? installNode(runtime, languageVersion, request)
    : installPython(runtime, languageVersion, request);
}
