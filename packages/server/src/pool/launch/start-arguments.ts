import type { FunctionVersion } from '../../domain/function.ts';
import type { Interpreter } from '../../runtimes/runtime-catalog.ts';
import type { GuestPaths } from '../../sandbox/sandbox.ts';

/** What follows the interpreter on the command line that starts one of Hearth's bootstraps. */
export function startArguments(
  interpreter: Interpreter,
  version: FunctionVersion,
  paths: GuestPaths,
): string[] {
  return interpreter.family === 'nodejs'
    ? [...nodeFlags(interpreter, version), `${paths.runtime}/index.cjs`]
    : [...PYTHON_FLAGS, `${paths.runtime}/bootstrap.py`];
}

/** No packages of the user's home, nothing written beside the code, UTF-8 whatever locale exists. */
const PYTHON_FLAGS = ['-s', '-B', '-X', 'utf8'];

/** Features that AWS Lambda turns off, by runtime; NODE_OPTIONS of the function may turn them on. */
const DISABLED_FEATURES: Readonly<Record<string, readonly string[]>> = {
  'nodejs20.x': ['experimental-require-module'],
  'nodejs22.x': ['experimental-require-module', 'experimental-detect-module'],
};

/** First releases that know both switches, by major version; later majors keep them. */
const KNOWS_SWITCHES: Readonly<Record<string, number>> = { 20: 17, 22: 0, 24: 0 };

function nodeFlags(interpreter: Interpreter, version: FunctionVersion): string[] {
  const options = (version.environment['NODE_OPTIONS'] ?? '').split(/\s+/);
  const disabled = knowsSwitches(interpreter.version)
    ? (DISABLED_FEATURES[version.runtime] ?? [])
    : [];
  return [
    '--max-http-header-size=81920',
    // V8 sizes its heap by the machine's memory. Told the function's instead, it collects garbage
    // before the limit is reached rather than being killed at it.
    `--max-semi-space-size=${Math.max(1, Math.floor(version.memoryMb * 0.05))}`,
    `--max-old-space-size=${Math.floor(version.memoryMb * 0.9)}`,
    ...disabled.filter((name) => !options.includes(`--${name}`)).map((name) => `--no-${name}`),
  ];
}

function knowsSwitches(nodeVersion: string): boolean {
  const [major = '', minor = ''] = nodeVersion.split('.');
  const since = KNOWS_SWITCHES[major];
  return since !== undefined && Number(minor) >= since;
}
