import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';
import { listField, numberField, textField } from '../json-fields.ts';
import { printTable } from '../table.ts';

export const functionsListCommand: Command = {
  arguments: [],
  options: API_OPTIONS,
  async run(context, _arguments, options) {
    const client = connect(context, options);
    const functions: unknown[] = [];
    let marker: string | undefined;
    do {
      const query = marker === undefined ? {} : { Marker: marker };
      const page = await client.json({ method: 'GET', path: '/2015-03-31/functions', query });
      functions.push(...listField(page, 'Functions'));
      marker = textField(page, 'NextMarker');
    } while (marker !== undefined && marker !== '');
    const { output } = context;
    if (options.isSet('json')) output.json({ Functions: functions });
    else if (functions.length === 0)
      output.note('No functions yet: see "hearth functions create --help"');
    else
      await printTable(
        output,
        ['NAME', 'RUNTIME', 'HANDLER', 'MEMORY', 'TIMEOUT', 'MODIFIED'],
        functions.map(row),
      );
    return 0;
  },
};

function row(configuration: unknown): string[] {
  return [
    textField(configuration, 'FunctionName') ?? '',
    textField(configuration, 'Runtime') ?? '',
    textField(configuration, 'Handler') ?? '',
    `${numberField(configuration, 'MemorySize') ?? '?'} MB`,
    `${numberField(configuration, 'Timeout') ?? '?'} s`,
    (textField(configuration, 'LastModified') ?? '').slice(0, 19),
  ];
}
