import type { FunctionVersion } from '../../domain/function.ts';
import type { GuestPaths } from '../../sandbox/sandbox.ts';
import { needsDirectStart } from '../launch/direct-start.ts';
import { startVariables } from '../launch/environment-variables.ts';
import type { RuntimeLaunch } from '../launch/runtime-launcher.ts';
import type { WorkerKind } from './worker.ts';

/**
 * What kind of worker can take a version in; undefined where only a process of its own can: a runtime
 * that is not one of Hearth's bootstraps, or a setting that acts before any code runs. `launch` is a
 * plan of that very version.
 */
export function workerKindOf(
  launch: RuntimeLaunch,
  version: FunctionVersion,
): WorkerKind | undefined {
  // Mostly found out at deploy.
  if (known.has(launch)) return known.get(launch);
  const kind = findKind(launch, version);
  known.set(launch, kind);
  return kind;
}

const known = new WeakMap<RuntimeLaunch, WorkerKind | undefined>();

function findKind(launch: RuntimeLaunch, version: FunctionVersion): WorkerKind | undefined {
  if (launch.protocol !== 'framed') return undefined;
  if (needsDirectStart(launch.family, version.environment)) return undefined;
  const command = (paths: GuestPaths) => {
    const { argv, environment } = launch.command(paths, startVariables(version, paths));
    return {
      argv,
      environment: { ...environment, ...WORKER_ENVIRONMENT },
      cwd: '/',
      descriptors: 'channel' as const,
      forkable: launch.family === 'python',
    };
  };
  return {
    key: JSON.stringify([launch.directories, command(SAMPLE_PATHS)]),
    directories: launch.directories,
    likely: {
      memoryMb: version.memoryMb,
      ephemeralStorageMb: version.ephemeralStorageMb,
    },
    command,
  };
}

/** Tells the bootstrap to warm itself up before it says that it has booted. */
const WORKER_ENVIRONMENT = { _HEARTH_PREPARE: '1' };

/** Any will do: kinds are told apart by what does not depend on them. */
const SAMPLE_PATHS: GuestPaths = {
  task: '/task',
  runtime: '/runtime',
  language: '/language',
  opt: '/opt',
  tmp: '/tmp',
  cache: '/cache',
};
