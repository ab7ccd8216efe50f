import { createHash } from 'node:crypto';
import type { FunctionVersion } from '../../domain/function.ts';
import { MANAGED_RUNTIMES } from '../../domain/runtimes.ts';
import type { GuestPaths } from '../../sandbox/sandbox.ts';

export interface VariablesInput {
  readonly version: FunctionVersion;
  readonly paths: GuestPaths;
  readonly logStreamName: string;
  /** Where the function's own SDK clients reach this server. */
  readonly endpoint: string;
  /** `host:port` of the Runtime API as seen from inside. */
  readonly runtimeApi: string;
  /** PATH of the host where the function runs on it directly; the sandbox's own otherwise. */
  readonly hostPath?: string;
}

/**
 * The whole environment of a function's process, as AWS Lambda sets it (recorded there). The user's
 * own variables win over everything that is not reserved.
 *
 * Differs: the access key id is the account's number, by which this server knows the account.
 */
export function environmentVariables(input: VariablesInput): Record<string, string> {
  const { version, paths } = input;
  return {
    ...overridable(input),
    ...version.environment,
    _HANDLER: version.handler,
    AWS_REGION: version.region,
    AWS_DEFAULT_REGION: version.region,
    // AWS sets none where the program comes with the function.
    ...(!isProvided(version) && { AWS_EXECUTION_ENV: `AWS_Lambda_${version.runtime}` }),
    AWS_LAMBDA_FUNCTION_NAME: version.functionName,
    AWS_LAMBDA_FUNCTION_VERSION: version.version,
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(version.memoryMb),
    AWS_LAMBDA_INITIALIZATION_TYPE: 'on-demand',
    AWS_LAMBDA_LOG_GROUP_NAME: version.logGroupName,
    AWS_LAMBDA_LOG_STREAM_NAME: input.logStreamName,
    ...credentials(version.accountId),
    AWS_LAMBDA_RUNTIME_API: input.runtimeApi,
    LAMBDA_TASK_ROOT: paths.task,
    LAMBDA_RUNTIME_DIR: paths.runtime,
  };
}

/**
 * The variables that may act on a process at its start, as far as the function does not set them
 * itself. They are the same for all functions of a runtime, so a process that is started before it
 * has a function gets these.
 */
export function startVariables(
  version: FunctionVersion,
  paths: GuestPaths,
  hostPath?: string,
): Record<string, string> {
  return {
    LANG: 'en_US.UTF-8',
    TZ: ':UTC',
    PATH: [
      ...(isProvided(version) ? [] : [`${paths.language}/bin`]),
      hostPath ?? '/usr/local/bin:/usr/bin/:/bin',
      `${paths.opt}/bin`,
    ].join(':'),
    LD_LIBRARY_PATH: libraryPath(version, paths, hostPath !== undefined),
    ...searchPaths(version, paths),
    TMPDIR: paths.tmp,
  };
}

/** What an external extension gets of its function's variables: those that AWS keeps back are left out. */
export function extensionVariables(
  variables: Readonly<Record<string, string>>,
): Record<string, string> {
  return Object.fromEntries(
    Object.entries(variables).filter(
      ([name]) => !KEPT_FROM_EXTENSIONS.has(name) && !/^(_|AWS_XRAY_)/.test(name),
    ),
  );
}

const KEPT_FROM_EXTENSIONS: ReadonlySet<string> = new Set([
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
]);

function overridable({
  version,
  paths,
  endpoint,
  hostPath,
}: VariablesInput): Record<string, string> {
  return {
    ...startVariables(version, paths, hostPath),
    AWS_LAMBDA_LOG_FORMAT: 'Text',
    AWS_XRAY_CONTEXT_MISSING: 'LOG_ERROR',
    AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1:2000',
    _AWS_XRAY_DAEMON_ADDRESS: '169.254.100.1',
    _AWS_XRAY_DAEMON_PORT: '2000',
    AWS_ENDPOINT_URL: endpoint,
  };
}

/** On the host itself its own library folders must not be put in front. */
function libraryPath(version: FunctionVersion, paths: GuestPaths, onHost: boolean): string {
  const own = `${paths.runtime}:${paths.runtime}/lib:${paths.task}:${paths.task}/lib:${paths.opt}/lib`;
  if (onHost) return own;
  return `${isProvided(version) ? '' : `${paths.language}/lib:`}/lib64:/usr/lib64:${own}`;
}

function isProvided({ runtime }: FunctionVersion): boolean {
  return MANAGED_RUNTIMES.get(runtime)?.family === 'provided';
}

function searchPaths(version: FunctionVersion, paths: GuestPaths): Record<string, string> {
  const runtime = MANAGED_RUNTIMES.get(version.runtime);
  if (runtime?.family === 'python') return { PYTHONPATH: paths.runtime };
  if (runtime?.family !== 'nodejs') return {};
  const { opt, task, runtime: runtimeDir } = paths;
  return {
    NODE_PATH:
      `${opt}/nodejs/node${runtime.languageVersion}/node_modules:${opt}/nodejs/node_modules:` +
      `${runtimeDir}/node_modules:${runtimeDir}:${task}`,
  };
}

function credentials(accountId: string): Record<string, string> {
  const secret = createHash('sha256').update(`function credentials ${accountId}`).digest('base64');
  return {
    AWS_ACCESS_KEY_ID: accountId,
    AWS_ACCESS_KEY: accountId,
    AWS_SECRET_ACCESS_KEY: secret.slice(0, 40),
    AWS_SESSION_TOKEN: `hearth-${accountId}`,
  };
}
