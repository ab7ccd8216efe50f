import { createHash } from 'node:crypto';
import { FUNCTION_DIGITS } from '../../artifacts/code-cache-store.ts';
import type { FunctionVersion } from '../../domain/function.ts';
import type { GuestPaths } from '../../sandbox/sandbox.ts';
import type { RuntimeLaunch } from './runtime-launcher.ts';

const KEY_DIGITS = 64;

/**
 * Names the compiled code that an environment may be given. It is executed without any check of what
 * it was compiled from, so whoever could write it could make it anything: therefore only the same
 * code of the same function ever gets it, compiled by the same interpreter with the same flags.
 * Undefined where there is none: other runtimes, and code that runs in place, of which nobody can
 * tell whether it is the same.
 */
export function codeCacheKey(launch: RuntimeLaunch, version: FunctionVersion): string | undefined {
  const functionPart = codeCacheFunction(version);
  if (launch.protocol !== 'framed' || functionPart === undefined) return undefined;
  const { argv } = launch.command(SAMPLE_PATHS, {});
  const compiler = [
    launch.runtimeVersion,
    launch.directories.language,
    argv,
    version.environment['NODE_OPTIONS'],
    version.environment['PYTHONOPTIMIZE'],
    process.arch,
  ];
  return functionPart + digits(compiler, KEY_DIGITS - FUNCTION_DIGITS);
}

/** The first part of the keys of a function's code; undefined where it runs in place. */
export function codeCacheFunction({
  accountId,
  region,
  functionName,
  code,
  layers = [],
}: FunctionVersion): string | undefined {
  if (code.kind !== 'archive') return undefined;
  const content = [code.sha256, ...layers.map(({ sha256 }) => sha256)];
  return digits([accountId, region, functionName, content], FUNCTION_DIGITS);
}

function digits(value: unknown, count: number): string {
  return createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, count);
}

/** Any will do: keys are told apart by what does not depend on them. */
const SAMPLE_PATHS: GuestPaths = {
  task: '/task',
  runtime: '/runtime',
  language: '/language',
  opt: '/opt',
  tmp: '/tmp',
  cache: '/cache',
};
