import type { ServerConfig } from '../config/server-config.ts';
import { loadServerConfig } from '../config/load-config.ts';
import type { SettingName } from '../config/settings.ts';
import { flagOf, SETTINGS, variableOf } from '../config/settings.ts';
import type { CommandContext, CommandOptions, OptionSpecification } from './command.ts';

/** Options for settings of the server, and `--config`. */
export function configOptions(names: readonly SettingName[]): OptionSpecification[] {
  const options = names.map((name) => {
    const { placeholder, description, defaultValue, defaultText } = SETTINGS[name];
    const fallback = defaultText ?? String(defaultValue({}));
    return {
      flags: flagOf(name) + (placeholder === undefined ? '' : ` <${placeholder}>`),
      description: `${description} (${variableOf(name)}; default ${fallback})`,
    };
  });
  return [
    ...options,
    {
      flags: '--config <file>',
      description: 'JSON file of settings by their names, such as {"dataDir": "…"} (HEARTH_CONFIG)',
    },
  ];
}

/** The configuration that flags, environment and file make together. Throws ConfigError. */
export function readConfig(
  names: readonly SettingName[],
  { environment, workingDirectory }: CommandContext,
  options: CommandOptions,
): ServerConfig {
  const flags = options.flags([...names, 'config']);
  return loadServerConfig({ flags, environment, workingDirectory });
}
