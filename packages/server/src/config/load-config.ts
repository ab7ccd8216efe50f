import { readFileSync } from 'node:fs';
import { isIPv4 } from 'node:net';
import { dirname, resolve } from 'node:path';
import { ConfigError } from './config-error.ts';
import type { ServerConfig } from './server-config.ts';
import type { RawValue } from './setting-parsers.ts';
import type { SettingName } from './settings.ts';
import { flagOf, isSettingName, SETTING_NAMES, SETTINGS, variableOf } from './settings.ts';

export interface ConfigSources {
  /** Values given on the command line by setting name, and `config`, the file. */
  readonly flags: Readonly<Record<string, RawValue | undefined>>;
  readonly environment: NodeJS.ProcessEnv;
  /** Absolute folder that relative paths of flags and variables start from. */
  readonly workingDirectory: string;
}

/** A value with where it came from, for messages. */
interface Given {
  readonly raw: unknown;
  readonly from: string;
  readonly baseDirectory: string;
}

/** Variables that the commands read for themselves. */
const OTHER_VARIABLES = new Set([
  'HEARTH_CONFIG',
  'HEARTH_ENDPOINT',
  'HEARTH_MAVEN_URL',
  'HEARTH_NODE',
]);

/**
 * Reads the settings; a flag wins over a variable, a variable over the file, the file over the
 * default. An empty variable counts as unset. Throws ConfigError.
 */
export function loadServerConfig(sources: ConfigSources): ServerConfig {
  const file = readConfigFile(sources);
  const given = (name: SettingName): Given | undefined =>
    fromFlag(sources, name) ?? fromVariable(sources, name) ?? file.get(name);
  const value = <Name extends SettingName>(name: Name): ServerConfig[Name] =>
    settle(name, given(name), sources.environment);
  const config: ServerConfig = {
    port: value('port'),
    host: value('host'),
    allowUnauthenticated: value('allowUnauthenticated'),
    dataDir: value('dataDir'),
    region: value('region'),
    accountId: value('accountId'),
    sandbox: value('sandbox'),
    egress: value('egress'),
    strictRuntimes: value('strictRuntimes'),
    keepAliveSeconds: value('keepAliveSeconds'),
    maxLifetimeSeconds: value('maxLifetimeSeconds'),
    prewarm: value('prewarm'),
    prewarmMemoryMb: value('prewarmMemoryMb'),
    accountConcurrency: value('accountConcurrency'),
    functionEndpoint: value('functionEndpoint'),
    hotReloadRoots: value('hotReloadRoots'),
  };
  refuseExposedHost(config, given('host'));
  return Object.freeze(config);
}

/** `HEARTH_*` variables that set nothing; most likely misspelt. */
export function unknownVariables(environment: NodeJS.ProcessEnv): string[] {
  const known = new Set([...SETTING_NAMES.map(variableOf), ...OTHER_VARIABLES]);
  return Object.keys(environment).filter((name) => name.startsWith('HEARTH_') && !known.has(name));
}

function fromFlag(sources: ConfigSources, name: string): Given | undefined {
  const raw = sources.flags[name];
  if (raw === undefined) return undefined;
  return { raw, from: flagOf(name), baseDirectory: sources.workingDirectory };
}

function fromVariable(sources: ConfigSources, name: string): Given | undefined {
  const raw = sources.environment[variableOf(name)];
  if (raw === undefined || raw === '') return undefined;
  return { raw, from: variableOf(name), baseDirectory: sources.workingDirectory };
}

function settle<Name extends SettingName>(
  name: Name,
  given: Given | undefined,
  environment: NodeJS.ProcessEnv,
): ServerConfig[Name] {
  const setting = SETTINGS[name];
  if (given === undefined) return setting.defaultValue(environment);
  const { raw, baseDirectory } = given;
  const value = isRawValue(raw) ? setting.parse(raw, { baseDirectory }) : undefined;
  if (value !== undefined) return value;
  throw new ConfigError(
    `Cannot start as ${name} must be ${setting.wanted}: received ${shown(raw)} (from ${given.from})`,
  );
}

function isRawValue(raw: unknown): raw is RawValue {
  return typeof raw === 'string' || typeof raw === 'number' || typeof raw === 'boolean';
}

function refuseExposedHost(config: ServerConfig, given: Given | undefined): void {
  if (config.allowUnauthenticated || isLoopback(config.host)) return;
  throw new ConfigError(
    'Cannot start as host must be a loopback address while requests are not authenticated: ' +
      `received ${shown(config.host)} (from ${given?.from ?? 'the default'}); ` +
      '--allow-unauthenticated serves it all the same to everybody who can reach it',
  );
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true;
  return isIPv4(host) && host.startsWith('127.');
}

function readConfigFile(sources: ConfigSources): Map<SettingName, Given> {
  const named = fromFlag(sources, 'config') ?? fromVariable(sources, 'config');
  if (named === undefined) return new Map();
  const path = resolve(named.baseDirectory, String(named.raw));
  const content = parseConfigFile(path, named.from);
  const baseDirectory = dirname(path);
  return new Map(
    Object.entries(content).map(([name, raw]) => {
      if (!isSettingName(name)) {
        throw new ConfigError(
          `Cannot start as ${path} must hold known settings only (${SETTING_NAMES.join(', ')}): received ${shown(name)}`,
        );
      }
      return [name, { raw, from: path, baseDirectory }];
    }),
  );
}

function parseConfigFile(path: string, from: string): object {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    throw new ConfigError(
      `Cannot start as the configuration file cannot be read: ${oneLine(error)} (from ${from})`,
      { cause: error },
    );
  }
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch (error) {
    throw new ConfigError(`Cannot start as ${path} must be JSON: ${oneLine(error)}`, {
      cause: error,
    });
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw new ConfigError(`Cannot start as ${path} must be a JSON object of settings`);
  }
  return content;
}

function oneLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).replaceAll(/\s+/g, ' ');
}

function shown(raw: unknown): string {
  const text = JSON.stringify(raw);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
