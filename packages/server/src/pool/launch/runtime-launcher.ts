import { realpath } from 'node:fs/promises';
import type { CodeStore } from '../../artifacts/code-store.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import type { ManagedRuntime } from '../../domain/runtimes.ts';
import { MANAGED_RUNTIMES, runtimeVersionArn } from '../../domain/runtimes.ts';
import { ServiceError } from '../../domain/service-error.ts';
import type { Interpreter, RuntimeCatalog, RuntimeChoice } from '../../runtimes/runtime-catalog.ts';
import { replacedLocale } from '../../runtimes/system-locale.ts';
import type {
  GuestCommand,
  GuestPaths,
  SandboxAssignment,
  SandboxDirectories,
} from '../../sandbox/sandbox.ts';
import { javaArguments, localeVariables } from './java-arguments.ts';
import { wrapCommand } from './exec-wrapper.ts';
import { launchWarnings } from './launch-warnings.ts';
import { ENTRYPOINT_NAME, findEntrypoint } from './provided-entrypoint.ts';
import { startArguments } from './start-arguments.ts';

/** Everything needed to start one version's runtime in a sandbox. */
export interface RuntimeLaunch extends Pick<ManagedRuntime, 'family' | 'protocol'> {
  readonly directories: SandboxDirectories;
  readonly code: Pick<SandboxAssignment, 'task' | 'taskInPlace' | 'opt'>;
  readonly warnings: readonly string[];
  /** As INIT_START prints it: `nodejs:22.v11`, `java:21.v3`, `provided:al2023.v1`. */
  readonly runtimeVersion: string;
  readonly runtimeVersionArn: string;
  /** Why nothing can be started: an error of the function, with which its init ends. */
  readonly failure?: LaunchFailure;
  command(paths: GuestPaths, environment: Readonly<Record<string, string>>): GuestCommand;
}

export interface LaunchFailure {
  readonly errorType: 'Runtime.InvalidEntrypoint';
  /** Without the request's id, which AWS puts in front of it. */
  readonly message: string;
}

/** Gives the host's folder of the bootstrap that an interpreter runs. */
export type BootstrapFolder = (interpreter: Interpreter) => string;

/** AWS's client for Java, in a folder of the host. */
export interface JavaFolder {
  readonly path: string;
  /** Of an archive of classes for the interpreter, relative to the folder. */
  readonly archive?: string;
}

export interface OtherFolders {
  /** Undefined where the client is not installed. */
  readonly javaFolder?: (interpreter: Interpreter) => Promise<JavaFolder | undefined>;
  /** The host's folder of a version's merged layers; undefined where it has none. */
  readonly layerFolder?: (version: FunctionVersion) => Promise<string | undefined>;
}

/** Finds code, interpreter and bootstrap of a version, and how to start them. */
export class RuntimeLauncher {
  readonly #catalog: RuntimeCatalog;
  readonly #codeStore: Pick<CodeStore, 'directory'>;
  readonly #bootstrapFolder: BootstrapFolder;
  readonly #others: OtherFolders;
  readonly #plans = new WeakMap<
    FunctionVersion,
    { choice: RuntimeChoice; launch: RuntimeLaunch }
  >();

  constructor(
    catalog: RuntimeCatalog,
    codeStore: Pick<CodeStore, 'directory'>,
    bootstrapFolder: BootstrapFolder,
    others: OtherFolders = {},
  ) {
    this.#catalog = catalog;
    this.#codeStore = codeStore;
    this.#bootstrapFolder = bootstrapFolder;
    this.#others = others;
  }

  /** Rejects with InvalidRuntimeException where this machine has nothing that runs the runtime. */
  async plan(version: FunctionVersion): Promise<RuntimeLaunch> {
    const runtime = MANAGED_RUNTIMES.get(version.runtime);
    if (runtime === undefined) throw missing(version, 'it is not a runtime of this server');
    const code = await this.#code(version);
    if (runtime.family === 'provided') return this.#planProvided(version, runtime, code);
    const choice = await this.#catalog.resolve(version.runtime);
    if (choice === undefined) throw missing(version, 'no interpreter that may run it was found');
    return runtime.family === 'java'
      ? this.#planJava(version, runtime, code, choice)
      : this.#knownOrFramed(version, runtime, code, choice);
  }

  /** Plans are made at deploy, and as they were then mostly when the function is started. */
  #knownOrFramed(
    version: FunctionVersion,
    runtime: ManagedRuntime,
    code: RuntimeLaunch['code'],
    choice: RuntimeChoice,
  ): RuntimeLaunch {
    const known = this.#plans.get(version);
    const { interpreter, exact } = choice;
    const isSame =
      known?.choice.interpreter === interpreter &&
      known.choice.exact === exact &&
      known.launch.directories.runtime === this.#bootstrapFolder(interpreter) &&
      known.launch.code.task === code.task &&
      known.launch.code.opt === code.opt;
    if (known !== undefined && isSame) return known.launch;
    const launch = this.#planFramed(version, runtime, code, choice);
    this.#plans.set(version, { choice, launch });
    return launch;
  }

  #planFramed(
    version: FunctionVersion,
    runtime: ManagedRuntime,
    code: RuntimeLaunch['code'],
    choice: RuntimeChoice,
  ): RuntimeLaunch {
    const { interpreter } = choice;
    const numbered = interpreter.version.replace(/\.([^.]*)$/, '.v$1');
    return {
      ...common(version, runtime, code, choice, numbered),
      directories: {
        runtime: this.#bootstrapFolder(interpreter),
        language: interpreter.prefix,
      },
      command: (paths, environment) => {
        const command = {
          argv: [
            `${paths.language}/${interpreter.program}`,
            ...startArguments(interpreter, version, paths),
          ] as const,
          environment: { ...environment, _HEARTH_CHANNEL_FD: '3', _LAMBDA_TELEMETRY_LOG_FD: '4' },
          cwd: paths.task,
          descriptors: 'channel' as const,
        };
        return wrapCommand(command, version, paths);
      },
    };
  }

  async #planJava(
    version: FunctionVersion,
    runtime: ManagedRuntime,
    code: RuntimeLaunch['code'],
    choice: RuntimeChoice,
  ): Promise<RuntimeLaunch> {
    const { interpreter } = choice;
    const folder = await this.#others.javaFolder?.(interpreter);
    if (folder === undefined) {
      throw missing(version, `run: hearth runtimes install ${version.runtime}`);
    }
    const system = { archive: folder.archive, locale: await replacedLocale() };
    const [major = '', , update = ''] = interpreter.version.split('.');
    return {
      ...common(version, runtime, code, choice, `${major}.v${update}`),
      directories: { runtime: folder.path, language: interpreter.prefix },
      command: (paths, environment) => {
        const command = {
          argv: [
            `${paths.language}/${interpreter.program}`,
            ...javaArguments(interpreter, version, paths, system),
          ] as const,
          // Its channel stays unused: the client talks HTTP, but writes its log as frames.
          environment: {
            ...localeVariables(version, system.locale),
            ...environment,
            _LAMBDA_TELEMETRY_LOG_FD: '4',
          },
          cwd: paths.task,
          descriptors: 'channel' as const,
        };
        return wrapCommand(command, version, paths);
      },
    };
  }

  async #planProvided(
    version: FunctionVersion,
    runtime: ManagedRuntime,
    code: RuntimeLaunch['code'],
  ): Promise<RuntimeLaunch> {
    const folders = { task: code.task, opt: code.opt };
    const entrypoint = await findEntrypoint(folders, process.arch);
    const folder = entrypoint.kind === 'found' ? entrypoint.folder : 'task';
    return {
      // Which build of the system it is has no meaning here.
      ...common(version, runtime, code, undefined, `${runtime.languageVersion}.v1`),
      ...(entrypoint.kind === 'invalid' && {
        failure: { errorType: 'Runtime.InvalidEntrypoint' as const, message: entrypoint.message },
      }),
      directories: {},
      command: (paths, environment) => ({
        argv: [`${paths[folder]}/${ENTRYPOINT_NAME}`],
        environment,
        cwd: paths.task,
        descriptors: 'standard',
      }),
    };
  }

  async #code(version: FunctionVersion): Promise<RuntimeLaunch['code']> {
    const opt = await this.#others.layerFolder?.(version);
    return { ...(await this.#task(version)), ...(opt !== undefined && { opt }) };
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

function common(
  version: FunctionVersion,
  { family, protocol }: ManagedRuntime,
  code: RuntimeLaunch['code'],
  choice: RuntimeChoice | undefined,
  numbered: string,
) {
  return {
    family,
    protocol,
    code,
    warnings: launchWarnings(version, choice, process.arch),
    runtimeVersion: `${family}:${numbered}`,
    runtimeVersionArn: runtimeVersionArn(version.region, version.runtime),
  };
}

function missing({ functionName, runtime }: FunctionVersion, why: string): ServiceError {
  return new ServiceError(
    'InvalidRuntimeException',
    `Cannot start ${functionName} as its runtime ${runtime} must be on this machine: ${why}. ` +
      'See: hearth runtimes list',
  );
}
