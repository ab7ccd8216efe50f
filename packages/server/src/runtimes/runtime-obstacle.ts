import type { RuntimeId } from '../domain/runtimes.ts';
import { MANAGED_RUNTIMES } from '../domain/runtimes.ts';
import { findJavaClient } from './java-client.ts';
import type { RuntimeCatalog } from './runtime-catalog.ts';

/** Why this machine cannot run a runtime, and what to do; undefined where it can. */
export async function runtimeObstacle(
  runtime: RuntimeId,
  catalog: RuntimeCatalog,
  dataDir: string,
): Promise<string | undefined> {
  const family = MANAGED_RUNTIMES.get(runtime)?.family;
  // Its program comes with the function.
  if (family === 'provided') return undefined;
  if ((await catalog.resolve(runtime)) === undefined) {
    return `Cannot run ${runtime} as this machine must have an interpreter for it: none was found. See: hearth runtimes install ${runtime}`;
  }
  if (family === 'java' && (await findJavaClient(dataDir)) === undefined) {
    return `Cannot run ${runtime} as AWS's runtime interface client for Java must be installed: run hearth runtimes install ${runtime}`;
  }
  return undefined;
}
