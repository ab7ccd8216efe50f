import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command, CommandOptions } from '../command.ts';
import { UsageError } from '../command.ts';
import { readArchiveOption } from '../function-settings.ts';
import { layerPath } from '../layer-path.ts';
import { printConfiguration } from '../print-configuration.ts';

export const layersPublishCommand: Command = {
  arguments: [{ name: '<name>', description: 'name or ARN of the layer' }],
  options: [
    { flags: '--zip <file>', description: 'content: a zip archive' },
    { flags: '--dir <dir>', description: 'content: a folder, archived without .git' },
    { flags: '--description <text>', description: 'description' },
    { flags: '--license <text>', description: 'licence, such as MIT' },
    {
      flags: '--runtime <id>',
      description: 'runtime that the layer goes with; repeat it for more',
      isRepeatable: true,
    },
    {
      flags: '--architecture <name>',
      description: 'architecture that it goes with; repeat it for more',
      isRepeatable: true,
    },
    ...API_OPTIONS,
  ],
  notes:
    'Functions see what is in it below /opt: packages in nodejs/node_modules or python, programs in bin, ' +
    'libraries in lib.\nExample: hearth layers publish tools --dir ./layer --runtime nodejs22.x',
  async run(context, [name = ''], options) {
    const client = connect(context, options);
    const content = await readArchiveOption(context, options);
    if (content === undefined) {
      throw new UsageError(`Cannot publish ${name} as --zip or --dir must be given`);
    }
    const path = layerPath(name);
    const published = await client.json(
      { method: 'POST', path },
      { Content: content, ...readDetails(options) },
    );
    if (options.isSet('json')) context.output.json(published);
    else await printConfiguration(context.output, published);
    return 0;
  },
};

function readDetails(options: CommandOptions): Record<string, unknown> {
  const details = {
    Description: options.text('description'),
    LicenseInfo: options.text('license'),
    CompatibleRuntimes: options.list('runtime'),
    CompatibleArchitectures: options.list('architecture'),
  };
  return Object.fromEntries(Object.entries(details).filter(([, value]) => value !== undefined));
}
