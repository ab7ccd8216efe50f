import { mkdir, realpath, rmdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeId } from '../domain/runtimes.ts';
import { compareVersions } from './choose-interpreter.ts';
import { InstallError, lastLine } from './install-error.ts';
import type { InstalledRuntime, InstallRequest } from './install-request.ts';
import { installedRuntimesDirectory } from './interpreter-locations.ts';
import { LocalRuntimeCatalog } from './local-runtime-catalog.ts';
import type { ProgramResult } from './run-program.ts';
import { runProgram } from './run-program.ts';

/** Installs Python through `uv`, which has builds that run from any folder. */
export async function installPython(
  runtime: RuntimeId,
  languageVersion: string,
  request: InstallRequest,
): Promise<InstalledRuntime> {
  const folder = join(installedRuntimesDirectory(request.dataDir), runtime);
  await mkdir(folder, { recursive: true });
  try {
    const result = await runUv(runtime, languageVersion, folder, request);
    if (result.exitCode === 0) return await newestIn(folder, runtime, languageVersion, request);
    throw new InstallError(
      `Cannot install ${runtime} as uv could not install Python ${languageVersion}: ${lastLine(result.stderr)}`,
    );
  } catch (error) {
    // Only where it is empty: an older installation stays.
    await rmdir(folder).catch(() => undefined);
    throw error;
  }
}

async function runUv(
  runtime: RuntimeId,
  languageVersion: string,
  folder: string,
  { environment, signal }: InstallRequest,
): Promise<ProgramResult> {
  const uvEnvironment = {
    ...environment,
    UV_PYTHON_INSTALL_DIR: folder,
    // Newer releases would also put `python3.x` into the user's own folder of programs.
    UV_PYTHON_INSTALL_BIN: '0',
  };
  try {
    return await runProgram('uv', ['python', 'install', languageVersion], {
      environment: uvEnvironment,
      signal,
    });
  } catch (error) {
    signal.throwIfAborted();
    throw new InstallError(
      `Cannot install ${runtime} as uv is not on the PATH: install uv (https://docs.astral.sh/uv/), ` +
        `or put a python${languageVersion} on the PATH, which is found by itself`,
      { cause: error },
    );
  }
}

async function newestIn(
  folder: string,
  runtime: RuntimeId,
  languageVersion: string,
  { dataDir, environment }: InstallRequest,
): Promise<InstalledRuntime> {
  const real = await realpath(folder);
  const catalog = new LocalRuntimeCatalog({ dataDir, strict: true, environment });
  const [newest] = (await catalog.list())
    .filter(({ prefix, family }) => family === 'python' && prefix.startsWith(`${real}/`))
    .filter(({ version }) => version.startsWith(`${languageVersion}.`))
    .sort((a, b) => compareVersions(b.version, a.version));
  if (newest !== undefined) {
    return { runtime, version: newest.version, path: join(newest.prefix, newest.program) };
  }
  throw new InstallError(`Cannot install ${runtime} as uv put no Python that runs into ${folder}`);
}
