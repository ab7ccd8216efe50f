import Module from 'node:module';

/** Makes `environment` the whole environment of this process. */
export function replaceEnvironment(environment: Readonly<Record<string, string>>): void {
  const earlierNodePath = process.env['NODE_PATH'];
  for (const name of Object.keys(process.env)) {
    if (!Object.hasOwn(environment, name)) delete process.env[name];
  }
  for (const [name, value] of Object.entries(environment)) {
    // Setting TZ makes V8 forget its time zone, which costs; mostly all is as it should be.
    if (process.env[name] !== value) process.env[name] = value;
  }
  if (process.env['NODE_PATH'] !== earlierNodePath) readNodePathAgain();
}

/** Node.js reads NODE_PATH once, at its start; this is what it then calls. */
function readNodePathAgain(): void {
  if ('_initPaths' in Module && typeof Module._initPaths === 'function') Module._initPaths();
}
