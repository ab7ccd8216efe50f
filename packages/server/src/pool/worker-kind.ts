import type { FunctionVersion } from '../domain/function.ts';
import type { GuestPaths } from '../sandbox/sandbox.ts';
import { needsDirectStart } from './direct-start.ts';
import { startVariables } from './environment-variables.ts';
import type { RuntimeLaunch } from './runtime-launcher.ts';
import type { WorkerKind } from './worker.ts';

/**
 * What kind of worker can take a version in; undefined where only a process of its own can: a runtime
 * that is not one of Hearth's bootstraps, or a setting that acts before any code runs.
 */
export function workerKindOf(
  launch: RuntimeLaunch,
  version: FunctionVersion,
): WorkerKind | undefined {
  if (launch.protocol !== 'framed') return undefined;
  if (needsDirectStart(launch.family, version.environment)) return undefined;
  const command = (paths: GuestPaths) => {
    const { argv, environment } = launch.command(paths, startVariables(version, paths));
    return {
      argv,
      environment: {
        ...environment,
        ...WORKER_ENVIRONMENT,
        ...(launch.family === 'python' && { LD_LIBRARY_PATH: libraryPath(paths) }),
      },
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

/**
 * Read once, when the process is started. An interpreter may come with its library, of which it knows
 * where it was on the host; the other folders are for libraries of the function and its layers.
 */
function libraryPath({ language, runtime, task, opt }: GuestPaths): string {
  return [`${language}/lib`, runtime, `${runtime}/lib`, task, `${task}/lib`, `${opt}/lib`].join(
    ':',
  );
}
