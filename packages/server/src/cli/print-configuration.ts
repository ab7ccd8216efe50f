import { asObject } from './json-fields.ts';
import type { Output } from './output.ts';
import { printTable } from './table.ts';

/** Prints the settings of a function, one per line; settings within settings get a dotted name. */
export async function printConfiguration(output: Output, configuration: unknown): Promise<void> {
  const rows = flatten('', asObject(configuration));
  await printTable(output, ['SETTING', 'VALUE'], rows);
}

function flatten(prefix: string, settings: Readonly<Record<string, unknown>>): string[][] {
  return Object.entries(settings).flatMap(([key, value]) => {
    const name = prefix + key;
    if (value === null || value === undefined || value === '') return [];
    if (typeof value === 'string') return [[name, value]];
    if (Array.isArray(value) || typeof value !== 'object') return [[name, JSON.stringify(value)]];
    return flatten(`${name}.`, asObject(value));
  });
}
