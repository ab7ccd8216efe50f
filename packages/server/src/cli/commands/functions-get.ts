import { functionPath } from '../api-client.ts';
import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';
import { asObject } from '../json-fields.ts';
import { printConfiguration } from '../print-configuration.ts';

export const functionsGetCommand: Command = {
  arguments: [{ name: '<name>', description: 'name or ARN of the function' }],
  options: API_OPTIONS,
  async run(context, [name = ''], options) {
    const client = connect(context, options);
    const answer = await client.json({ method: 'GET', path: functionPath(name) });
    if (options.isSet('json')) context.output.json(answer);
    else await printConfiguration(context.output, asObject(answer)['Configuration']);
    return 0;
  },
};
