import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';
import { UsageError } from '../command.ts';
import { CODE_OPTIONS, readCode, readSettings, SETTING_OPTIONS } from '../function-settings.ts';
import { textField } from '../json-fields.ts';
import { printConfiguration } from '../print-configuration.ts';
import { waitForFunction } from '../wait-for-function.ts';

/** Answered back by the API and used for nothing yet, but a function must have one. */
const DEFAULT_ROLE = 'arn:aws:iam::000000000000:role/hearth';

export const functionsCreateCommand: Command = {
  arguments: [{ name: '<name>', description: 'name of the function' }],
  options: [...SETTING_OPTIONS, ...CODE_OPTIONS, ...API_OPTIONS],
  notes:
    'Example: hearth functions create hello --runtime nodejs22.x --handler index.handler --dir .',
  async run(context, [name = ''], options) {
    const settings = readSettings(options);
    for (const [setting, flag] of [
      ['Runtime', '--runtime'],
      ['Handler', '--handler'],
    ] as const) {
      if (settings[setting] === undefined) {
        throw new UsageError(`Cannot create ${name} as ${flag} must be given`);
      }
    }
    const client = connect(context, options);
    const code = await readCode(context, options);
    if (code === undefined) {
      throw new UsageError(
        `Cannot create ${name} as one of --zip, --dir and --hot-reload must be given`,
      );
    }
    const created = await client.json(
      { method: 'POST', path: '/2015-03-31/functions' },
      { Role: DEFAULT_ROLE, ...settings, FunctionName: name, Code: code },
    );
    const createdName = textField(created, 'FunctionName') ?? name;
    const configuration = await waitForFunction(client, context, createdName);
    if (options.isSet('json')) context.output.json(configuration);
    else await printConfiguration(context.output, configuration);
    return 0;
  },
};
