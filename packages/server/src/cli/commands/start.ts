import { ConfigError } from '../../config/config-error.ts';
import type { ServerConfig } from '../../config/server-config.ts';
import { unknownVariables } from '../../config/load-config.ts';
import { SETTING_NAMES } from '../../config/settings.ts';
import { ApiClient } from '../api-client.ts';
import { JSON_OPTION } from '../api-options.ts';
import type { Command } from '../command.ts';
import { configOptions, readConfig } from '../config-options.ts';
import { asObject, listField, textField } from '../json-fields.ts';
import type { Output } from '../output.ts';
import { StopSignals } from '../stop-signals.ts';

/** The server as the composition root gives it. */
interface RunningServer {
  /** Address that clients connect to, without a slash at its end. */
  readonly endpoint: string;
  close(): Promise<void>;
}

export const startCommand: Command = {
  arguments: [],
  options: [...configOptions(SETTING_NAMES), JSON_OPTION],
  notes: 'A flag wins over its variable, a variable over the file.',
  handlesSignals: true,
  async run(context, _arguments, options) {
    const { output, environment } = context;
    const config = readConfig(SETTING_NAMES, context, options);
    for (const name of unknownVariables(environment)) output.note(`${name} sets nothing: ignored`);
    // A reader that went away (`hearth start | head -1`) must not take the server with it.
    process.stdout.on('error', () => undefined);
    process.stderr.on('error', () => undefined);
    using signals = new StopSignals();
    const server = await start(config);
    try {
      await announce(server, config, output, options.isSet('json'));
      await signals.first;
    } finally {
      await server.close();
    }
    // Whatever a stopped server may have left open keeps nobody waiting.
    process.exit(0);
  },
};

/** Errors of the server's parts whose message is made for the person who starts it. */
const TELLS_WHAT_TO_DO: ReadonlySet<string> = new Set(['StoreError', 'SandboxError']);

async function start(config: ServerConfig): Promise<RunningServer> {
  const { startServer } = await import('../../main.ts');
  try {
    return await startServer(config);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    const address = `port ${config.port} of ${config.host}`;
    const reasons: Readonly<Record<string, string>> = {
      EADDRINUSE: `${address} is taken: choose another with --port`,
      EACCES: `${address} may not be used: choose another with --port`,
      EADDRNOTAVAIL: `${config.host} is no address of this machine`,
      ENOTFOUND: `${config.host} is no address of this machine`,
    };
    const reason = isListenError(error) ? reasons[String(code)] : undefined;
    // What was asked for cannot be had on this machine: as wrong a call as a bad option.
    if (reason !== undefined) throw new ConfigError(`Cannot start as ${reason}`, { cause: error });
    if (error instanceof Error && TELLS_WHAT_TO_DO.has(error.name)) {
      throw new ConfigError(error.message, { cause: error });
    }
    throw error;
  }
}

function isListenError(error: unknown): boolean {
  const systemCall = error instanceof Error && 'syscall' in error ? error.syscall : undefined;
  return systemCall === 'listen' || systemCall === 'getaddrinfo';
}

/** What the sandbox does not enforce is said before the line that others wait for. */
async function announce(
  server: RunningServer,
  config: ServerConfig,
  output: Output,
  isJson: boolean,
): Promise<void> {
  const sandbox = asObject(await readHealth(server.endpoint, config.region))['sandbox'];
  output.note(`sandbox: ${describeSandbox(sandbox)}`);
  output.note(`data folder: ${config.dataDir}`);
  if (isJson) output.json({ ready: server.endpoint, sandbox });
  else output.data(`hearth ready ${server.endpoint}\n`);
}

function describeSandbox(sandbox: unknown): string {
  const missing = listField(sandbox, 'limits')
    .filter((limit) => asObject(limit)['enforced'] !== true)
    .map((limit) => textField(limit, 'property') ?? '');
  const driver = textField(sandbox, 'driver') ?? 'unknown';
  if (missing.length === 0) return `${driver}, every limit is enforced`;
  return `${driver}, not enforced: ${missing.join(', ')} (why and what to do: hearth doctor)`;
}

function readHealth(endpoint: string, region: string): Promise<unknown> {
  const client = new ApiClient({ endpoint, region, signal: new AbortController().signal });
  return client.json({ method: 'GET', path: '/_hearth/health' });
}
