import { API_OPTIONS, connect } from '../api-options.ts';
import type { Command } from '../command.ts';
import { asObject, listField, textField } from '../json-fields.ts';
import type { Output } from '../output.ts';
import { printTable } from '../table.ts';

export const doctorCommand: Command = {
  arguments: [],
  options: API_OPTIONS,
  async run(context, _arguments, options) {
    const client = connect(context, options);
    const query = { runtimes: 'true' };
    const health = await client.json({ method: 'GET', path: '/_hearth/health', query });
    if (options.isSet('json')) context.output.json(health);
    else await printHealth(context.output, health);
    return 0;
  },
};

async function printHealth(output: Output, health: unknown): Promise<void> {
  const sandbox = asObject(health)['sandbox'];
  const reason = textField(sandbox, 'reason');
  await printTable(
    output,
    ['SERVER', ''],
    [
      ['version', textField(health, 'version') ?? ''],
      ['data folder', textField(health, 'dataDir') ?? ''],
      ['account', textField(health, 'accountId') ?? ''],
      ['region', textField(health, 'region') ?? ''],
      [
        'sandbox',
        (textField(sandbox, 'driver') ?? '') + (reason === undefined ? '' : `: ${reason}`),
      ],
    ],
  );
  output.data('\n');
  await printLimits(output, listField(sandbox, 'limits'));
  output.data('\n');
  await printTable(
    output,
    ['RUNTIME', 'INTERPRETER', 'MATCH', 'PATH', 'FOUND BY'],
    listField(health, 'runtimes').map((runtime) => runtimeRow(runtime)),
  );
}

/** What holds a function back here, and how to get the rest. */
async function printLimits(output: Output, limits: readonly unknown[]): Promise<void> {
  await printTable(
    output,
    ['LIMIT', 'ENFORCED', 'HOW, OR WHY NOT'],
    limits.map((limit) => {
      const enforced = asObject(limit)['enforced'] === true;
      const text = textField(limit, enforced ? 'how' : 'why') ?? '';
      return [textField(limit, 'property') ?? '', enforced ? 'yes' : 'no', text];
    }),
  );
  // What one order brings about together is listed together.
  const remedies = new Map<string, string[]>();
  for (const limit of limits) {
    const remedy = textField(limit, 'remedy');
    if (remedy === undefined) continue;
    remedies.set(remedy, [...(remedies.get(remedy) ?? []), textField(limit, 'property') ?? '']);
  }
  if (remedies.size === 0) return;
  output.data('\n');
  await printTable(
    output,
    ['TO ENFORCE MORE', 'OF'],
    [...remedies].map(([remedy, properties]) => [remedy, properties.join(', ')]),
  );
}

/** One line of the table of runtimes, from a RuntimeReport. */
export function runtimeRow(runtime: unknown): string[] {
  const name = textField(runtime, 'runtime') ?? '';
  const version = textField(runtime, 'version');
  const isRefused = textField(runtime, 'obstacle') !== undefined;
  if (version === undefined) return [name, isRefused ? 'none' : "the function's own", '', '', ''];
  const nearness = asObject(runtime)['exact'] === true ? 'exact' : 'nearest';
  const match = isRefused ? 'to install' : nearness;
  return [
    name,
    version,
    match,
    textField(runtime, 'path') ?? '',
    textField(runtime, 'origin') ?? '',
  ];
}
