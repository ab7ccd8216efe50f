import { once } from 'node:events';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { ContractBench, NEVER, startShell } from '../contract-bench.ts';
import type { Sandbox, SandboxDriver, SandboxSizes } from '../sandbox.ts';
import { openNamespaceDriver } from './namespace-driver.ts';

const open = async (dataDir: string): Promise<SandboxDriver> =>
  (await openNamespaceDriver(dataDir)).driver;

const opened = await ContractBench.open(open).catch((error: unknown) => String(error));
const unavailable =
  typeof opened === 'string'
    ? opened
    : opened.driver.capabilities.assignsRunning
      ? undefined
      : 'this server cannot assign running sandboxes: it is not root';
if (typeof opened !== 'string') await opened[Symbol.asyncDispose]();

/** A process that runs before its sandbox is assigned, and then does what each line says. */
async function startWaiting(sandbox: Sandbox): Promise<(command: string) => Promise<string>> {
  const guest = await startShell(
    sandbox,
    'while read -r line <&3; do eval "$line" 2>&1; echo .; done',
  );
  let text = '';
  guest.stdout.on('data', (chunk: Buffer) => {
    text += chunk.toString('utf8');
  });
  return async (command) => {
    guest.channel.write(`${command}\n`);
    while (!text.endsWith('.\n')) await once(guest.stdout, 'data');
    const answer = text.slice(0, -2).trim();
    text = '';
    return answer;
  };
}

describe('a sandbox that is assigned while a process runs', () => {
  let bench: ContractBench;
  beforeAll(async () => {
    if (unavailable === undefined) bench = await ContractBench.open(open);
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  function create(context: TestContext, likely?: SandboxSizes): Promise<Sandbox> {
    context.skip(unavailable !== undefined, unavailable);
    const { assignment: _, ...spec } = bench.spec(likely === undefined ? {} : { likely });
    return bench.driver.create(spec, NEVER);
  }

  test('shows its folders from then on, read-only, and only what was assigned', async (context) => {
    await using sandbox = await create(context);
    const run = await startWaiting(sandbox);
    expect(await run('ls -A /var/task /opt /var/hearth/cache')).not.toContain('code.txt');
    const cache = join(bench.dataDir, '..', 'cache');
    await mkdir(cache);
    await writeFile(join(cache, 'v8.cache'), 'compiled');
    await sandbox.assign(bench.assignment({ cache }));
    expect(await run('cat /var/task/code.txt')).toBe('code');
    expect(await run('cat /var/hearth/cache/v8.cache')).toBe('compiled');
    expect(await run('ls -A /opt')).toBe('');
    for (const folder of ['/var/task', '/var/hearth/cache', '/opt', '/var/hearth']) {
      expect(await run(`echo x > ${folder}/written && echo written`)).toMatch(
        /Read-only file system|Permission denied/,
      );
    }
  });

  for (const [ahead, likely] of [
    ['nothing was', undefined],
    ['other sizes were', { memoryMb: 256, ephemeralStorageMb: 512 }],
    ['the same sizes were', { memoryMb: 512, ephemeralStorageMb: 16 }],
  ] as const) {
    test(`has an empty /tmp of its size where ${ahead} made ahead`, async (context) => {
      await using sandbox = await create(context, likely);
      const run = await startWaiting(sandbox);
      await sandbox.assign(bench.assignment({ ephemeralStorageMb: 16 }));
      expect((await run('ls -A /tmp')).replace('lost+found', '')).toBe('');
      expect(await run('echo kept > /tmp/file && cat /tmp/file')).toBe('kept');
      const [, size] = (await run('df -k --output=size /tmp')).split('\n');
      expect(Number(size)).toBeGreaterThan(8 * 1_024);
      expect(Number(size)).toBeLessThanOrEqual(20 * 1_024);
    });
  }

  test('counts its memory peak from then on', async (context) => {
    await using sandbox = await create(context, { memoryMb: 512, ephemeralStorageMb: 16 });
    context.skip(!bench.driver.enforcement.memory, 'memory is not counted here');
    const run = await startWaiting(sandbox);
    await run('x=$(head -c 60000000 /dev/zero | tr "\\0" x); unset x');
    const before = sandbox.memoryPeakBytes() ?? 0;
    expect(before).toBeGreaterThan(50_000_000);
    await sandbox.assign(bench.assignment());
    expect(sandbox.memoryPeakBytes()).toBeLessThan(before);
  });

  test('a second assignment is refused', async (context) => {
    await using sandbox = await create(context);
    await sandbox.assign(bench.assignment());
    await expect(sandbox.assign(bench.assignment())).rejects.toThrow('as it has been assigned');
  });
});
