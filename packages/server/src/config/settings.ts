import { homedir } from 'node:os';
import { isAbsolute, join } from 'node:path';
import type { ServerConfig } from './server-config.ts';
import type { Parser } from './setting-parsers.ts';
import {
  integerBetween,
  oneOf,
  parseEndpoint,
  parsePath,
  parsePaths,
  parseSwitch,
  textMatching,
} from './setting-parsers.ts';

export type SettingName = keyof ServerConfig;

/** One setting. Its flag and its variable follow from its name. */
export interface Setting<T> {
  readonly parse: Parser<T>;
  /** What a value must be, as it completes `port must be …`. */
  readonly wanted: string;
  /** How `--help` names the value; absent for a switch. */
  readonly placeholder?: string;
  readonly description: string;
  readonly defaultValue: (environment: NodeJS.ProcessEnv) => T;
  /** How `--help` names a default that depends on the machine. */
  readonly defaultText?: string;
}

const MAX_KEEP_ALIVE_SECONDS = 7 * 24 * 60 * 60;
const HOST_NAME = /^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$|^[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*$/;

/** Every setting by name: `--help`, the flags, the variables and the file all come from here. */
export const SETTINGS: { readonly [Name in SettingName]: Setting<ServerConfig[Name]> } = {
  port: {
    parse: integerBetween(0, 65_535),
    wanted: '0-65535',
    placeholder: 'number',
    description: 'port to listen on; 0 lets the system choose',
    defaultValue: () => 4566,
  },
  host: {
    parse: textMatching(HOST_NAME),
    wanted: 'a host name or an IP address',
    placeholder: 'address',
    description: 'address to listen on',
    defaultValue: () => '127.0.0.1',
  },
  allowUnauthenticated: {
    parse: parseSwitch,
    wanted: 'true or false',
    description: 'listen on a host that others can reach, although anybody may then run code',
    defaultValue: () => false,
  },
  dataDir: {
    parse: parsePath,
    wanted: 'a path',
    placeholder: 'dir',
    description: 'folder of functions, code, logs and installed runtimes',
    defaultValue: defaultDataDirectory,
    defaultText: '$XDG_DATA_HOME/hearth or ~/.local/share/hearth',
  },
  region: {
    parse: textMatching(/^[a-z]{2}(-[a-z]+){1,3}-\d{1,2}$/),
    wanted: 'a region name such as us-east-1',
    placeholder: 'name',
    description: 'region of requests that name none',
    defaultValue: () => 'us-east-1',
  },
  accountId: {
    parse: textMatching(/^\d{12}$/),
    wanted: 'twelve digits',
    placeholder: 'id',
    description: 'account of requests whose access key id is not an account id',
    defaultValue: () => '000000000000',
  },
  sandbox: {
    parse: oneOf(['auto', 'process', 'namespace']),
    wanted: 'auto, process or namespace',
    placeholder: 'driver',
    description: 'how functions are contained',
    defaultValue: () => 'auto',
  },
  egress: {
    parse: oneOf(['internet', 'none']),
    wanted: 'internet or none',
    placeholder: 'internet|none',
    description: "what functions with a network of their own reach besides the server's endpoint",
    defaultValue: () => 'internet',
  },
  strictRuntimes: {
    parse: parseSwitch,
    wanted: 'true or false',
    description: 'refuse a runtime whose own interpreter is missing instead of using the nearest',
    defaultValue: () => false,
  },
  keepAliveSeconds: {
    parse: integerBetween(0, MAX_KEEP_ALIVE_SECONDS),
    wanted: `0-${MAX_KEEP_ALIVE_SECONDS}`,
    placeholder: 'number',
    description: 'how long an idle environment is kept',
    defaultValue: () => 600,
  },
  maxLifetimeSeconds: {
    parse: integerBetween(1, MAX_KEEP_ALIVE_SECONDS),
    wanted: `1-${MAX_KEEP_ALIVE_SECONDS}`,
    placeholder: 'number',
    description: 'age at which an environment takes no more events and is replaced',
    // AWS recycles busy environments "every few hours" without a documented figure.
    defaultValue: () => 4 * 60 * 60,
  },
  prewarm: {
    parse: integerBetween(0, 1_000),
    wanted: '0-1000',
    placeholder: 'number',
    description: 'booted workers kept ready per runtime in use; more follow arrivals, 0 means none',
    defaultValue: () => 2,
  },
  prewarmMemoryMb: {
    parse: integerBetween(0, 1_048_576),
    wanted: '0-1048576',
    placeholder: 'number',
    description: 'memory that workers kept ready may hold in all',
    defaultValue: () => 512,
  },
  accountConcurrency: {
    parse: integerBetween(1, 1_000_000),
    wanted: '1-1000000',
    placeholder: 'number',
    description: 'events that run at the same time in one account and region',
    defaultValue: () => 1_000,
  },
  functionEndpoint: {
    parse: parseEndpoint,
    wanted: 'an http or https address',
    placeholder: 'url',
    description: 'AWS_ENDPOINT_URL of functions',
    defaultValue: () => undefined,
    defaultText: "the server's own address",
  },
  hotReloadRoots: {
    parse: parsePaths,
    wanted: 'one or more folders, separated as in PATH',
    placeholder: 'dirs',
    description: 'folders below which functions may be run in place (hot-reload)',
    defaultValue: () => undefined,
    defaultText: 'any folder',
  },
};

export const SETTING_NAMES: readonly SettingName[] = Object.keys(SETTINGS).filter(isSettingName);

export function isSettingName(name: string): name is SettingName {
  return Object.hasOwn(SETTINGS, name);
}

/** `dataDir` → `--data-dir`. */
export function flagOf(name: string): string {
  return `--${words(name).join('-')}`;
}

/** `dataDir` → `HEARTH_DATA_DIR`. */
export function variableOf(name: string): string {
  return `HEARTH_${words(name).join('_').toUpperCase()}`;
}

/** By the XDG base directory specification, on every system: its paths hold no blanks. */
function defaultDataDirectory(environment: NodeJS.ProcessEnv): string {
  const base = environment['XDG_DATA_HOME'];
  if (base !== undefined && isAbsolute(base)) return join(base, 'hearth');
  return join(homedir(), '.local', 'share', 'hearth');
}

function words(name: string): string[] {
  return name.split(/(?=[A-Z])/).map((word) => word.toLowerCase());
}
