import { parseEndpoint } from '../config/setting-parsers.ts';
import { ApiClient } from './api-client.ts';
import type { CommandContext, CommandOptions, OptionSpecification } from './command.ts';
import { UsageError } from './command.ts';

export const JSON_OPTION: OptionSpecification = {
  flags: '--json',
  description: 'print JSON',
};

/** Options of every command that talks to a server. */
export const API_OPTIONS: readonly OptionSpecification[] = [
  {
    flags: '--endpoint <url>',
    description:
      'address of the server (HEARTH_ENDPOINT, AWS_ENDPOINT_URL; default http://127.0.0.1:4566)',
  },
  {
    flags: '--region <name>',
    description: 'region (HEARTH_REGION, AWS_REGION, AWS_DEFAULT_REGION; default us-east-1)',
  },
  JSON_OPTION,
];

const DEFAULT_PORT = '4566';

/** A client for the server that the options and the environment name. Throws UsageError. */
export function connect(
  { environment, signal }: CommandContext,
  options: CommandOptions,
): ApiClient {
  const variable = (...names: string[]): string | undefined =>
    names.map((name) => environment[name]).find((value) => value !== undefined && value !== '');
  const given =
    options.text('endpoint') ??
    variable('HEARTH_ENDPOINT', 'AWS_ENDPOINT_URL_LAMBDA', 'AWS_ENDPOINT_URL') ??
    `http://127.0.0.1:${variable('HEARTH_PORT') ?? DEFAULT_PORT}`;
  const endpoint = parseEndpoint(given, { baseDirectory: '/' });
  if (endpoint === undefined) {
    throw new UsageError(
      `Cannot connect as endpoint must be an http or https address: received ${JSON.stringify(given)}`,
    );
  }
  const region =
    options.text('region') ??
    variable('HEARTH_REGION', 'AWS_REGION', 'AWS_DEFAULT_REGION') ??
    'us-east-1';
  const sessionToken = variable('AWS_SESSION_TOKEN');
  return new ApiClient({
    endpoint,
    region,
    signal,
    credentials: {
      accessKeyId: variable('AWS_ACCESS_KEY_ID') ?? variable('HEARTH_ACCOUNT_ID') ?? '000000000000',
      secretAccessKey: variable('AWS_SECRET_ACCESS_KEY') ?? 'test',
      ...(sessionToken === undefined ? {} : { sessionToken }),
    },
  });
}
