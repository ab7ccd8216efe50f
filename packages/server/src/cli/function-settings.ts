import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { MAX_ZIPPED_BYTES } from '../domain/limits.ts';
import type { CommandContext, CommandOptions, OptionSpecification } from './command.ts';
import { CommandError, UsageError } from './command.ts';
import { zipDirectory } from './zip-directory.ts';

/** Where a function's code comes from. */
export const CODE_OPTIONS: readonly OptionSpecification[] = [
  { flags: '--zip <file>', description: 'code: a zip archive' },
  { flags: '--dir <dir>', description: 'code: a folder, archived without .git' },
  {
    flags: '--hot-reload <dir>',
    description: "code: a folder on the server's machine, run in place and watched",
  },
];

/** Settings of a function by the API's names. */
export const SETTING_OPTIONS: readonly OptionSpecification[] = [
  { flags: '--runtime <id>', description: 'runtime, such as nodejs22.x or python3.12' },
  { flags: '--handler <handler>', description: 'handler, such as index.handler' },
  { flags: '--role <arn>', description: 'ARN of the execution role' },
  { flags: '--timeout <seconds>', description: 'timeout of an event' },
  { flags: '--memory <mb>', description: 'memory' },
  { flags: '--ephemeral-storage <mb>', description: 'size of /tmp' },
  { flags: '--description <text>', description: 'description' },
  {
    flags: '--env <key=value>',
    description: 'environment variable; repeat it for more, all of them are replaced',
    isRepeatable: true,
  },
  {
    flags: '--layers <arns>',
    description: 'ARNs of layer versions in their order, with commas between; "" for none',
  },
];

/** The code as CreateFunction and UpdateFunctionCode take it; undefined where no option names any. */
export async function readCode(
  context: CommandContext,
  options: CommandOptions,
): Promise<Record<string, string> | undefined> {
  if (['zip', 'dir', 'hotReload'].filter((name) => options.isSet(name)).length > 1) {
    throw new UsageError(
      'Cannot read code as only one of --zip, --dir and --hot-reload may be given',
    );
  }
  const inPlace = options.text('hotReload');
  if (inPlace === undefined) return readArchiveOption(context, options);
  return { S3Bucket: 'hot-reload', S3Key: resolve(context.workingDirectory, inPlace) };
}

/** The archive that --zip or --dir names, as the API takes it; undefined where neither is given. */
export async function readArchiveOption(
  context: CommandContext,
  options: CommandOptions,
): Promise<{ readonly ZipFile: string } | undefined> {
  const [zip, directory] = [options.text('zip'), options.text('dir')];
  if (zip !== undefined && directory !== undefined) {
    throw new UsageError('Cannot read code as only one of --zip and --dir may be given');
  }
  const value = zip ?? directory;
  if (value === undefined) return undefined;
  const path = resolve(context.workingDirectory, value);
  const archive = zip === undefined ? await zipDirectory(path) : await readArchive(path);
  if (archive.length > MAX_ZIPPED_BYTES) {
    throw new CommandError(
      `Cannot send ${path} as the archive must be at most ${MAX_ZIPPED_BYTES} bytes: it has ${archive.length}`,
    );
  }
  return { ZipFile: archive.toString('base64') };
}

/** The settings that the options name. Throws UsageError. */
export function readSettings(options: CommandOptions): Record<string, unknown> {
  const settings: Record<string, unknown> = {};
  const set = (name: string, value: unknown): void => {
    if (value !== undefined) settings[name] = value;
  };
  set('Runtime', options.text('runtime'));
  set('Handler', options.text('handler'));
  set('Role', options.text('role'));
  set('Timeout', wholeNumber(options, 'timeout'));
  set('MemorySize', wholeNumber(options, 'memory'));
  const storageMb = wholeNumber(options, 'ephemeralStorage');
  set('EphemeralStorage', storageMb === undefined ? undefined : { Size: storageMb });
  set('Description', options.text('description'));
  const variables = options.list('env');
  const layers = options.text('layers');
  set('Layers', layers === undefined ? undefined : readList(layers));
  set('Environment', variables === undefined ? undefined : { Variables: readVariables(variables) });
  return settings;
}

function readVariables(pairs: readonly string[]): Record<string, string> {
  const entries = pairs.map((pair): [string, string] => {
    const split = pair.indexOf('=');
    if (split < 1) {
      throw new UsageError(
        `Cannot read --env as it must be KEY=VALUE: received ${JSON.stringify(pair)}`,
      );
    }
    return [pair.slice(0, split), pair.slice(split + 1)];
  });
  return Object.fromEntries(entries);
}

function readList(text: string): string[] {
  return text
    .split(',')
    .map((item) => item.trim())
    .filter((item) => item !== '');
}

function wholeNumber(options: CommandOptions, name: string): number | undefined {
  const text = options.text(name);
  if (text === undefined) return undefined;
  // The bounds are the API's; only what JSON could not carry is refused here.
  if (/^\d{1,9}$/.test(text)) return Number(text);
  throw new UsageError(
    `Cannot read ${name} as it must be a whole number: received ${JSON.stringify(text)}`,
  );
}

async function readArchive(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    const reason = error instanceof Error && 'code' in error ? String(error.code) : String(error);
    throw new CommandError(`Cannot read ${path}: ${reason}`, { cause: error });
  }
}
