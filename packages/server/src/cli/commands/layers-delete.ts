import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../command.ts';
import { layerPath } from '../layer-path.ts';

export const layersDeleteCommand: Command = {
  arguments: [
    { name: '<name>', description: 'name or ARN of the layer' },
    { name: '<version>', description: 'number of the version' },
  ],
  options: API_OPTIONS,
  notes: 'Functions that use the version go on using it.',
  async run(context, [name = '', version = ''], options) {
    if (!/^\d{1,15}$/.test(version)) {
      throw new UsageError(
        `Cannot delete a version of ${name} as it must be a number: received ${JSON.stringify(version)}`,
      );
    }
    const client = connect(context, options);
    await client.send({ method: 'DELETE', path: layerPath(name, version) });
    if (options.isSet('json')) {
      context.output.json({ LayerName: name, Version: Number(version), Deleted: true });
    } else context.output.note(`Deleted version ${version} of ${name}`);
    return 0;
  },
};
