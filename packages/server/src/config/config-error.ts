/** A setting that the server cannot start with. The message is one line, made for the person who set it. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}
