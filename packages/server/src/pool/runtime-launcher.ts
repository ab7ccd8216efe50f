import { realpath } from 'node:fs/promises';
import type { CodeStore } from '../artifacts/code-store.ts';
import type { FunctionVersion } from '../domain/function.ts';
import { MANAGED_RUNTIMES, runtimeVersionArn } from '../domain/runtimes.ts';
import { ServiceError } from '../domain/service-error.ts';
import type { Interpreter, RuntimeCatalog } from '../runtimes/runtime-catalog.ts';
import type {
  GuestCommand,
  GuestPaths,
  SandboxAssignment,
  SandboxDirectories,
} from '../sandbox/sandbox.ts';
import { launchWarnings } from './launch-warnings.ts';
import { startArguments } from './start-arguments.ts';

/** Everything needed to start one version's runtime in a sandbox. */
export interface RuntimeLaunch {
  readonly directories: SandboxDirectories;
  readonly code: Pick<SandboxAssignment, 'task' | 'taskInPlace'>;
  readonly warnings: readonly string[];
  /** As INIT_START prints it: `nodejs:22.v11`. */
  readonly runtimeVersion: string;
  readonly runtimeVersionArn: string;
  command(paths: GuestPaths, environment: Readonly<Record<string, string>>): GuestCommand;
}

/** Gives the host's folder of the bootstrap that an interpreter runs. */
export type BootstrapFolder = (interpreter: Interpreter) => string;

/** Finds code, interpreter and bootstrap of a version, and how to start them. */
export class RuntimeLauncher {
  readonly #catalog: RuntimeCatalog;
  readonly #codeStore: Pick<CodeStore, 'directory'>;
  readonly #bootstrapFolder: BootstrapFolder;

  constructor(
    catalog: RuntimeCatalog,
    codeStore: Pick<CodeStore, 'directory'>,
    bootstrapFolder: BootstrapFolder,
  ) {
    this.#catalog = catalog;
    this.#codeStore = codeStore;
    this.#bootstrapFolder = bootstrapFolder;
  }

  /** Rejects with InvalidRuntimeException where this machine has nothing that runs the runtime. */
  async plan(version: FunctionVersion): Promise<RuntimeLaunch> {
    const choice = await this.#catalog.resolve(version.runtime);
    const runtime = MANAGED_RUNTIMES.get(version.runtime);
    if (choice === undefined || runtime === undefined) {
      throw new ServiceError(
        'InvalidRuntimeException',
        `Cannot start ${version.functionName} as its runtime ${version.runtime} must be on this machine: ` +
          'no interpreter that may run it was found. See: hearth runtimes list',
      );
    }
    const { interpreter } = choice;
    const numbered = `${runtime.family}:${interpreter.version.replace(/\.([^.]*)$/, '.v$1')}`;
    return {
      directories: {
        runtime: this.#bootstrapFolder(interpreter),
        language: interpreter.prefix,
      },
      code: await this.#task(version),
      warnings: launchWarnings(version, choice, process.arch),
      runtimeVersion: numbered,
      runtimeVersionArn: runtimeVersionArn(version.region, version.runtime),
      command: (paths, environment) => ({
        argv: [
          `${paths.language}/${interpreter.program}`,
          ...startArguments(interpreter, version, paths),
        ],
        environment: { ...environment, _HEARTH_CHANNEL_FD: '3', _LAMBDA_TELEMETRY_LOG_FD: '4' },
        cwd: paths.task,
        descriptors: 'channel',
      }),
    };
  }

  async #task({ code, functionName }: FunctionVersion): Promise<RuntimeLaunch['code']> {
    if (code.kind === 'archive') return { task: this.#codeStore.directory(code.sha256) };
    // The path was without links when it was deployed: one that is there now may lead anywhere.
    const found = await realpath(code.directory).catch(() => undefined);
    if (found !== code.directory) {
      throw new ServiceError(
        'InvalidParameterValueException',
        `Cannot run ${functionName} in place as its folder must be there, and not by a symbolic ` +
          `link: ${code.directory}`,
      );
    }
    return { task: code.directory, taskInPlace: true };
  }
}
