import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';
import { asObject, listField, numberField, textField } from '../json-fields.ts';
import { layerPath } from '../layer-path.ts';
import { printTable } from '../table.ts';

export const layersListCommand: Command = {
  arguments: [{ name: '[name]', description: 'name or ARN of a layer, to list its versions' }],
  options: API_OPTIONS,
  async run(context, [name], options) {
    const client = connect(context, options);
    const { output } = context;
    const key = name === undefined ? 'Layers' : 'LayerVersions';
    const path = name === undefined ? '/2018-10-31/layers' : layerPath(name);
    const found: unknown[] = [];
    let marker: string | undefined;
    do {
      const query = marker === undefined ? {} : { Marker: marker };
      const page = await client.json({ method: 'GET', path, query });
      found.push(...listField(page, key));
      marker = textField(page, 'NextMarker');
    } while (marker !== undefined && marker !== '');
    if (options.isSet('json')) output.json({ [key]: found });
    else if (found.length === 0) {
      output.note(
        name === undefined
          ? 'No layers yet: see "hearth layers publish --help"'
          : `${name} has no versions`,
      );
    } else {
      const versions =
        name === undefined ? found.map((layer) => asObject(layer)['LatestMatchingVersion']) : found;
      await printTable(output, ['ARN', 'RUNTIMES', 'DESCRIPTION', 'CREATED'], versions.map(row));
    }
    return 0;
  },
};

function row(version: unknown): string[] {
  const runtimes = listField(version, 'CompatibleRuntimes').map(String);
  return [
    textField(version, 'LayerVersionArn') ?? String(numberField(version, 'Version') ?? ''),
    runtimes.join(', '),
    textField(version, 'Description') ?? '',
    (textField(version, 'CreatedDate') ?? '').slice(0, 19),
  ];
}
