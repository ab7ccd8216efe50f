import { functionPath } from '../api-client.ts';
import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';

export const functionsDeleteCommand: Command = {
  arguments: [{ name: '<name>', description: 'name or ARN of the function' }],
  options: API_OPTIONS,
  async run(context, [name = ''], options) {
    const client = connect(context, options);
    await client.send({ method: 'DELETE', path: functionPath(name) });
    if (options.isSet('json')) context.output.json({ FunctionName: name, Deleted: true });
    else context.output.note(`Deleted ${name}`);
    return 0;
  },
};
