import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ConfigError } from './config-error.ts';
import type { ConfigSources } from './load-config.ts';
import { loadServerConfig, unknownVariables } from './load-config.ts';

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'hearth-config-'));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function load(sources: Partial<ConfigSources> = {}): ReturnType<typeof loadServerConfig> {
  return loadServerConfig({
    flags: {},
    environment: {},
    workingDirectory: '/work-dir',
    ...sources,
  });
}

function messageOf(action: () => unknown): string {
  try {
    action();
  } catch (error) {
    if (error instanceof ConfigError) return error.message;
    throw error;
  }
  throw new Error('it was accepted');
}

function tryPort(port: string): number | undefined {
  try {
    return load({ flags: { port } }).port;
  } catch {
    return undefined;
  }
}

function configFile(name: string, content: string): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

describe('loadServerConfig', () => {
  test('has a default for every setting', () => {
    expect(load()).toEqual({
      port: 4566,
      host: '127.0.0.1',
      allowUnauthenticated: false,
      dataDir: join(homedir(), '.local/share/hearth'),
      region: 'us-east-1',
      accountId: '000000000000',
      sandbox: 'auto',
      egress: 'internet',
      strictRuntimes: false,
      keepAliveSeconds: 600,
      maxLifetimeSeconds: 14_400,
      prewarm: 2,
      prewarmMemoryMb: 512,
      accountConcurrency: 1000,
      functionEndpoint: undefined,
    });
  });

  test('is frozen', () => {
    expect(Object.isFrozen(load())).toBe(true);
  });

  test('a flag wins over a variable, a variable over the file, the file over the default', () => {
    const config = configFile(
      'all.json',
      '{"port": 1, "region": "eu-west-1", "sandbox": "process"}',
    );
    const environment = { HEARTH_PORT: '2', HEARTH_REGION: 'eu-west-2' };
    const loaded = load({ flags: { config, port: '3' }, environment });
    expect(loaded).toMatchObject({ port: 3, region: 'eu-west-2', sandbox: 'process' });
    expect(loaded.accountId).toBe('000000000000');
  });

  test('the file may be named by HEARTH_CONFIG', () => {
    const HEARTH_CONFIG = configFile('named.json', '{"keepAliveSeconds": 5}');
    expect(load({ environment: { HEARTH_CONFIG } }).keepAliveSeconds).toBe(5);
  });

  test('egress is none by flag, by variable and by file', () => {
    const config = configFile('egress.json', '{"egress": "none"}');
    expect(load({ flags: { egress: 'none' } }).egress).toBe('none');
    expect(load({ environment: { HEARTH_EGRESS: 'none' } }).egress).toBe('none');
    expect(load({ flags: { config } }).egress).toBe('none');
  });

  test('an empty variable counts as unset', () => {
    expect(load({ environment: { HEARTH_PORT: '' } }).port).toBe(4566);
  });

  test('a wrong value is refused in one line that names its source', () => {
    expect(messageOf(() => load({ environment: { HEARTH_PORT: 'abc' } }))).toBe(
      'Cannot start as port must be 0-65535: received "abc" (from HEARTH_PORT)',
    );
    expect(messageOf(() => load({ flags: { sandbox: 'vm' } }))).toBe(
      'Cannot start as sandbox must be auto, process or namespace: received "vm" (from --sandbox)',
    );
    const config = configFile('wrong.json', '{"accountId": 12}');
    expect(messageOf(() => load({ flags: { config } }))).toBe(
      `Cannot start as accountId must be twelve digits: received 12 (from ${config})`,
    );
  });

  test.each([
    ['port', '65536'],
    ['port', '-1'],
    ['port', '80.5'],
    ['region', 'Europe'],
    ['accountId', '12345678901'],
    ['keepAliveSeconds', '1e3'],
    ['accountConcurrency', '0'],
    ['functionEndpoint', 'ftp://x'],
    ['functionEndpoint', 'localhost:4566'],
    ['strictRuntimes', 'yes'],
    ['egress', 'all'],
    ['egress', ''],
    ['dataDir', ''],
  ])('%s refuses %j', (name, value) => {
    expect(messageOf(() => load({ flags: { [name]: value } }))).toContain(`as ${name} must be`);
  });

  test('accepts exactly the ports that exist', () => {
    fc.assert(
      fc.property(fc.integer({ min: -70_000, max: 140_000 }), (port) => {
        const accepted = tryPort(String(port));
        expect(accepted).toBe(port >= 0 && port <= 65_535 ? port : undefined);
      }),
    );
  });

  test('whatever the value is, the refusal is a single line', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 400 }), (raw) => {
        fc.pre(!/^\d+$/.test(raw));
        expect(messageOf(() => load({ flags: { port: raw } }))).not.toContain('\n');
      }),
    );
  });

  test('a host that others can reach is refused', () => {
    const message = messageOf(() => load({ flags: { host: '0.0.0.0' } }));
    expect(message).toMatch(
      /^Cannot start as host must be a loopback address .*"0\.0\.0\.0" \(from --host\)/,
    );
    expect(message).toContain('--allow-unauthenticated');
    expect(() => load({ flags: { host: '127.evil.example' } })).toThrow(ConfigError);
  });

  test('a host that others can reach is served where that is asked for', () => {
    expect(load({ flags: { host: '0.0.0.0', allowUnauthenticated: true } }).host).toBe('0.0.0.0');
  });

  test.each(['localhost', '127.0.0.1', '127.1.2.3', '::1'])('%s is a loopback address', (host) => {
    expect(load({ flags: { host } }).host).toBe(host);
  });

  test('relative paths start from the working folder, those of the file from its folder', () => {
    expect(load({ flags: { dataDir: 'data' } }).dataDir).toBe('/work-dir/data');
    const config = configFile('relative.json', '{"dataDir": "data"}');
    expect(load({ flags: { config } }).dataDir).toBe(join(folder, 'data'));
  });

  test('the default data folder follows XDG_DATA_HOME', () => {
    expect(load({ environment: { XDG_DATA_HOME: '/xdg' } }).dataDir).toBe('/xdg/hearth');
  });

  test('the function endpoint loses the slash at its end', () => {
    expect(load({ flags: { functionEndpoint: 'http://10.0.0.1:80/x/' } }).functionEndpoint).toBe(
      'http://10.0.0.1/x',
    );
  });

  test('a file that is not JSON is refused', () => {
    const config = configFile('broken.json', 'port: 1\nhost: 2');
    const message = messageOf(() => load({ flags: { config } }));
    expect(message).toContain(`${config} must be JSON`);
    expect(message).not.toContain('\n');
  });

  test('a file of another shape, or with an unknown setting, is refused', () => {
    const list = configFile('list.json', '[1]');
    expect(messageOf(() => load({ flags: { config: list } }))).toContain('must be a JSON object');
    const config = configFile('unknown.json', '{"prot": 1}');
    expect(messageOf(() => load({ flags: { config } }))).toMatch(
      /known settings only .*: received "prot"$/,
    );
    const proto = configFile('proto.json', '{"__proto__": {"port": 1}}');
    expect(messageOf(() => load({ flags: { config: proto } }))).toContain('received "__proto__"');
  });

  test('a file that is missing is refused', () => {
    expect(messageOf(() => load({ flags: { config: 'none.json' } }))).toMatch(
      /^Cannot start as the configuration file cannot be read: ENOENT.*none\.json.*\(from --config\)$/,
    );
  });
});

describe('unknownVariables', () => {
  test('names what sets nothing', () => {
    const environment = { HEARTH_PROT: '1', HEARTH_PORT: '1', HEARTH_ENDPOINT: 'x', PATH: '/bin' };
    expect(unknownVariables(environment)).toEqual(['HEARTH_PROT']);
  });
});
