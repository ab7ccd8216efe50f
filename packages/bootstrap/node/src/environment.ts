import Module from 'node:module';

/** Set where a program of the function's, its wrapper, has started this process and may have set more. */
export const KEEP_ENVIRONMENT = '_HEARTH_KEEP_ENVIRONMENT';
const OWN_VARIABLE = /^(?:_HEARTH_.*|_LAMBDA_TELEMETRY_LOG_FD)$/;

/**
 * Makes `environment` the whole environment of this process. What a wrapper has started has it
 * already, with the wrapper's changes: there only the variables that are not for the function go.
 */
export function adoptEnvironment(environment: Readonly<Record<string, string>>): void {
  if (process.env[KEEP_ENVIRONMENT] === undefined) {
    replaceEnvironment(environment);
    return;
  }
  for (const name of Object.keys(process.env)) {
    if (OWN_VARIABLE.test(name)) delete process.env[name];
  }
}

/** The whole environment of this process, as it is now. */
export function currentEnvironment(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(process.env).map(([name, value]) => [name, value ?? '']),
  );
}

/** Makes `environment` the whole environment of this process. */
export function replaceEnvironment(environment: Readonly<Record<string, string>>): void {
  const { NODE_PATH: earlierNodePath, HOME: earlierHome } = process.env;
  for (const name of Object.keys(process.env)) {
    if (!Object.hasOwn(environment, name)) delete process.env[name];
  }
  for (const [name, value] of Object.entries(environment)) {
    // Setting TZ makes V8 forget its time zone, which costs; mostly all is as it should be.
    if (process.env[name] !== value) process.env[name] = value;
  }
  const { NODE_PATH, HOME } = process.env;
  if (NODE_PATH !== earlierNodePath || HOME !== earlierHome) readSearchPathsAgain();
}

/** Node.js reads NODE_PATH and HOME once, at its start; this is what it then calls. */
function readSearchPathsAgain(): void {
  if ('_initPaths' in Module && typeof Module._initPaths === 'function') Module._initPaths();
}
