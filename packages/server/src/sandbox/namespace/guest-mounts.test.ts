import { existsSync, readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ContractBench, runShell } from '../contract-bench.ts';
import { openNamespaceDriver } from './namespace-driver.ts';

const opened = await ContractBench.open(async (dataDir) => {
  const { driver } = await openNamespaceDriver(dataDir);
  return driver;
}).catch((error: unknown) => String(error));
const unavailable = typeof opened === 'string' ? opened : undefined;

describe('the file system of a sandbox', () => {
  let bench: ContractBench;
  beforeAll(() => {
    if (typeof opened !== 'string') bench = opened;
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  test('C27, C35 whatever is mounted is read-only and without devices and set-uid programs', async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    await using sandbox = await bench.create();
    const { stdout } = await runShell(sandbox, 'cat /proc/self/mountinfo');
    const mounts = stdout
      .trim()
      .split('\n')
      .map((line) => line.split(' '))
      .map(([, , , , path = '', options = '']) => ({ path, options: options.split(',') }));
    const paths = (lacking: string): string[] =>
      mounts.filter(({ options }) => !options.includes(lacking)).map(({ path }) => path);
    expect(mounts[0]?.path).toBe('/');
    expect(paths('nosuid')).toEqual([]);
    const devices = ['full', 'null', 'pts', 'random', 'tty', 'urandom', 'zero'];
    const devicePaths = devices.map((name) => `/dev/${name}`);
    expect(paths('nodev').toSorted()).toEqual(devicePaths);
    expect(paths('ro').filter((path) => !devicePaths.includes(path))).toEqual([
      '/proc',
      '/dev/shm',
      '/tmp',
    ]);
    if (bench.driver.enforcement.user) {
      // One for all of the system's own, and none for what this sandbox lacks.
      expect(mounts.map(({ path }) => path)).not.toContain('/opt');
      expect(mounts.map(({ path }) => path)).not.toContain('/etc');
    }
    expect((await runShell(sandbox, 'ls -A /opt /var/hearth/cache')).stdout).toBe(
      '/opt:\n\n/var/hearth/cache:\n',
    );
  });

  test('has copies of files of the host', async (context) => {
    context.skip(unavailable !== undefined, unavailable);
    context.skip(!existsSync('/etc/os-release'), 'there is no such file here');
    await using sandbox = await bench.create();
    const { stdout } = await runShell(sandbox, 'cat /etc/os-release');
    expect(stdout).toBe(readFileSync('/etc/os-release', 'utf8'));
  });
});
