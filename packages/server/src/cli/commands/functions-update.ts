import { functionPath } from '../api-client.ts';
import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../command.ts';
import { CODE_OPTIONS, readCode, readSettings, SETTING_OPTIONS } from '../function-settings.ts';
import { printConfiguration } from '../print-configuration.ts';
import { waitForFunction } from '../wait-for-function.ts';

export const functionsUpdateCommand: Command = {
  arguments: [{ name: '<name>', description: 'name or ARN of the function' }],
  options: [...SETTING_OPTIONS, ...CODE_OPTIONS, ...API_OPTIONS],
  async run(context, [name = ''], options) {
    const settings = readSettings(options);
    const client = connect(context, options);
    const code = await readCode(context, options);
    const hasSettings = Object.keys(settings).length > 0;
    if (!hasSettings && code === undefined) {
      throw new UsageError(`Cannot update ${name} as no setting and no code is given`);
    }
    // One after the other: the API refuses an update while another one is in progress.
    if (hasSettings) {
      const path = functionPath(name, '/configuration');
      await client.json({ method: 'PUT', path }, settings);
      await waitForFunction(client, context, name);
    }
    if (code !== undefined) {
      await client.json({ method: 'PUT', path: functionPath(name, '/code') }, code);
    }
    const configuration = await waitForFunction(client, context, name);
    if (options.isSet('json')) context.output.json(configuration);
    else await printConfiguration(context.output, configuration);
    return 0;
  },
};
