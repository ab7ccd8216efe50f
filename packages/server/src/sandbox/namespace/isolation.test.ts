import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  writeFileSync,
} from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import {
  ContractBench,
  languagePrefix,
  lineOf,
  processesWith,
  runNode,
  runShell,
  startNode,
  startShell,
  tracesOf,
  uniqueSeconds,
} from '../contract-bench.ts';
import type { SandboxDriver, SandboxEnforcement } from '../sandbox.ts';
import { openNamespaceDriver } from './namespace-driver.ts';

const open = async (dataDir: string): Promise<SandboxDriver> =>
  (await openNamespaceDriver(dataDir)).driver;

const opened = await ContractBench.open(open).catch((error: unknown) => String(error));
const unavailable = typeof opened === 'string' ? opened : undefined;
const enforcement = typeof opened === 'string' ? undefined : opened.driver.enforcement;
if (typeof opened !== 'string') await opened[Symbol.asyncDispose]();

/** Skips the test, with the reason, on a machine that does not enforce this. */
function requires(context: TestContext, property: keyof SandboxEnforcement): void {
  context.skip(unavailable !== undefined, unavailable);
  context.skip(enforcement?.[property] !== true, `${property} is not enforced here`);
}

describe('a sandbox of the namespace driver', () => {
  let bench: ContractBench;
  beforeAll(async () => {
    if (unavailable === undefined) bench = await ContractBench.open(open);
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
  });

  test('shows the system, the function and nothing else', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await bench.create();
    const { stdout } = await runShell(
      sandbox,
      'ls -A / /var /etc; test -e "$1"; echo $?',
      bench.dataDir,
    );
    const names = stdout.trim().split(/\s+/);
    expect(names).not.toContain('root');
    expect(names).not.toContain('home');
    expect(names).not.toContain('sys');
    expect(names).not.toContain('shadow');
    expect(names.at(-1)).toBe('1');
  });

  test('can be written to in /tmp and /dev/shm only', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await bench.create();
    const script = `for d in / /var /var/task /var/runtime /var/lang /opt /etc /usr /dev /dev/shm /tmp; do
      (echo x > "$d/written") 2>/dev/null && echo "$d"; done; true`;
    const { stdout } = await runShell(sandbox, script);
    expect(stdout.trim().split('\n')).toEqual(['/dev/shm', '/tmp']);
  });

  test('C21 core_pattern and sysrq cannot be written', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await bench.create();
    const script = `for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger; do
      (echo x > $f) 2>/dev/null && echo $f; done; true`;
    expect((await runShell(sandbox, script)).stdout).toBe('');
  });

  test('shows no process of the host', async (context) => {
    requires(context, 'processIsolation');
    await using sandbox = await bench.create();
    const { stdout } = await runShell(sandbox, 'cat /proc/[0-9]*/comm');
    expect(stdout.trim().split('\n').sort()).toEqual(['bwrap', 'sh']);
  });

  test('C22 process 1 tells no path or value of the host', async (context) => {
    requires(context, 'processIsolation');
    await using sandbox = await bench.create();
    const script = 'cat /proc/1/environ; tr "\\0" " " < /proc/1/cmdline';
    const { stdout } = await runShell(sandbox, script);
    expect(stdout).toMatch(/^\S*bwrap --args 5 -- \/bin\/sh -c /);
    expect(stdout).not.toContain(bench.dataDir);
    expect(stdout).not.toContain(bench.task);
  });

  test('has a host name and system V objects of its own', async (context) => {
    requires(context, 'processIsolation');
    await using sandbox = await bench.create();
    const { stdout } = await runShell(sandbox, 'uname -n; ipcs -m | grep -c 0x || true');
    expect(stdout).toBe('hearth\n0\n');
  });

  test('runs as sbx_user1051 without groups or capabilities', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await bench.create();
    const script =
      'id; sed -n "/^Cap\\|^NoNewPrivs\\|^Groups/s/[[:space:]]*$//p" /proc/self/status; ulimit -c; ulimit -n; ulimit -Hn';
    const lines = (await runShell(sandbox, script)).stdout.trim().split('\n');
    expect(lines[0]).toMatch(/^uid=993\(sbx_user1051\) gid=990\(sbx_user1051\)/);
    const capabilities = lines.filter((line) => line.startsWith('Cap'));
    expect(capabilities).toHaveLength(5);
    for (const line of capabilities) expect(line).toMatch(/:\s0{16}$/);
    expect(lines).toContain('NoNewPrivs:\t1');
    expect(lines.slice(-3)).toEqual(['0', '1024', '1024']);
  });

  test('has a user on the host that no other sandbox has', async (context) => {
    requires(context, 'user');
    await using first = await bench.create();
    await using second = await bench.create();
    const uids = await Promise.all(
      [first, second].map(async (sandbox) => {
        const seconds = uniqueSeconds();
        const guest = await startShell(sandbox, 'echo up; exec sleep "$1"', seconds);
        await lineOf(guest, 'up');
        const [pid] = processesWith(seconds).toReversed();
        const status = await readFile(`/proc/${pid}/status`, 'utf8');
        await guest.kill();
        expect(/^Groups:\s*$/m.test(status)).toBe(true);
        return Number(/^Uid:\t(\d+)/m.exec(status)?.[1]);
      }),
    );
    expect(uids[0]).toBeGreaterThanOrEqual(32_768);
    expect(uids[1]).not.toBe(uids[0]);
  });

  test('reaches a folder that only root may enter the way to', async (context) => {
    requires(context, 'user');
    const closed = join(bench.dataDir, 'closed');
    mkdirSync(join(closed, 'task'), { recursive: true });
    chmodSync(closed, 0o700);
    writeFileSync(join(closed, 'task', 'code.txt'), 'hidden code');
    const task = join(closed, 'task');
    await using sandbox = await bench.create({ task });
    await using second = await bench.create({ task });
    expect((await runShell(sandbox, 'cat /var/task/code.txt')).stdout).toBe('hidden code');
    expect((await runShell(second, 'echo x > /var/task/new; echo $?')).stdout.trim()).not.toBe('0');
  });

  test('D37 ends what takes more memory than it has, and says why', async (context) => {
    requires(context, 'memory');
    await using sandbox = await bench.create({ memoryMb: 128, ephemeralStorageMb: 16 });
    await using neighbour = await bench.create();
    const other = await startShell(neighbour, 'echo up; sleep 1000');
    await lineOf(other, 'up');
    const script = 'const kept = []; for (;;) kept.push(Buffer.alloc(8e6, 1));';
    const { exit } = await runNode(sandbox, script);
    expect(exit).toEqual({ code: undefined, signal: 'killed', outOfMemory: true });
    expect((await runShell(sandbox, 'exit 3')).exit).toEqual({
      code: 3,
      signal: undefined,
      outOfMemory: false,
    });
    await other.kill();
  });

  test('D37 where the host runs out of memory, a function goes before the server', async (context) => {
    requires(context, 'user');
    await using sandbox = await bench.create();
    const script = `(echo -1000 > /proc/self/oom_score_adj) 2>/dev/null; (echo 0 > /proc/self/oom_score_adj) 2>/dev/null
      cat /proc/self/oom_score_adj`;
    expect((await runShell(sandbox, script)).stdout).toBe('500\n');
    expect(Number(await readFile('/proc/self/oom_score_adj', 'latin1'))).toBeLessThan(500);
  });

  test('a kill without need of memory is not called out of memory', async (context) => {
    requires(context, 'memory');
    await using sandbox = await bench.create();
    const guest = await startShell(sandbox, 'sleep 1000');
    await guest.kill();
    expect((await guest.exited).outOfMemory).toBe(false);
  });

  test('nor is a kill after a pause, where one of its programs went for that reason before', async (context) => {
    requires(context, 'memory');
    await using sandbox = await bench.create({ memoryMb: 128 });
    const guest = await startShell(
      sandbox,
      'tail /dev/zero; echo status $?; while [ ! -e /tmp/go ]; do sleep 0.01; done; kill -9 $$',
    );
    await lineOf(guest, 'status 137');
    sandbox.freeze();
    sandbox.thaw();
    await runShell(sandbox, 'touch /tmp/go');
    expect(await guest.exited).toEqual({ code: undefined, signal: 'killed', outOfMemory: false });
  });

  test('D38 a full /tmp gives ENOSPC at its size', async (context) => {
    requires(context, 'ephemeralStorage');
    await using sandbox = await bench.create({ ephemeralStorageMb: 8 });
    const script = 'head -c 9000000 /dev/zero > /tmp/big; stat -c %s /tmp/big';
    const { stdout, stderr } = await runShell(sandbox, script);
    expect(stderr).toContain('No space left on device');
    expect(Number(stdout)).toBe(8 * 1_048_576);
  });

  test('D39 /dev/shm has 64 MB', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await bench.create();
    const { stdout } = await runShell(sandbox, 'stat -f -c "%b %S" /dev/shm');
    const [blocks = 0, size = 0] = stdout.trim().split(' ').map(Number);
    expect(blocks * size).toBe(64 * 1_048_576);
  });

  test('D36 a fork bomb stops at 1,024 processes and can be killed', async (context) => {
    requires(context, 'processes');
    await using sandbox = await bench.create({ memoryMb: 3_008 });
    const seconds = uniqueSeconds();
    // A shell that cannot fork ends; the one around it counts without forking.
    const script = `(i=0; while [ $i -lt 1200 ]; do sleep "$1" & i=$((i+1)); done) 2>/dev/null ||
      { set -- /proc/[0-9]*; echo "$#"; }; read never <&3`;
    const guest = await startShell(sandbox, script, seconds);
    const [running] = await once(guest.stdout, 'data');
    expect(Number(String(running))).toBeGreaterThan(1_000);
    expect(Number(String(running))).toBeLessThanOrEqual(1_024);
    await guest.kill();
    expect(processesWith(seconds)).toEqual([]);
  });

  test('D41 has whole cores until its share of the CPU is set', async (context) => {
    requires(context, 'cpu');
    const environmentId = 'd41';
    await using sandbox = await bench.create({ memoryMb: 128, environmentId });
    // Spins for so much CPU time, however long that takes on a machine with other work.
    const guest = await startNode(
      sandbox,
      `const net = require('node:net'); const channel = new net.Socket({ fd: 3 });
       channel.on('data', () => {
         const cpu = process.cpuUsage();
         for (;;) {
           const { user, system } = process.cpuUsage(cpu);
           if (user + system > 100_000) break;
         }
         channel.write('done');
       });`,
    );
    const spin = async (): Promise<void> => {
      guest.channel.write('go');
      await once(guest.channel, 'data');
    };
    await spin();
    expect(timesThrottled(bench.dataDir, environmentId)).toBe(0);
    sandbox.limitCpu(true);
    await spin();
    // 128 MB are 7.2 % of a core, so 100 ms take 70 periods of 20 ms.
    expect(timesThrottled(bench.dataDir, environmentId)).toBeGreaterThan(30);
    await guest.kill();
  });

  test('finds host names, time zones and certificates', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await bench.create();
    const script = `getent hosts localhost; TZ=:UTC date +%Z; ls /etc/ssl/certs | head -1 | wc -l`;
    const { stdout } = await runShell(sandbox, script);
    expect(stdout).toMatch(/localhost/);
    expect(stdout).toMatch(/^UTC$/m);
  });

  test('runs the interpreter from /var/lang', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await bench.create();
    const { stdout } = await runNode(sandbox, 'console.log(process.execPath, process.version)');
    expect(stdout).toBe(`/var/lang/bin/node ${process.version}\n`);
    expect(languagePrefix()).not.toBe('/var/lang');
  });
});

/** How often the kernel has held the processes of a sandbox back, as its share was used up. */
function timesThrottled(dataDir: string, environmentId: string): number {
  const [instanceId = ''] = readdirSync(join(dataDir, 'run'));
  const statistics = tracesOf(instanceId)
    .map((folder) => join(folder, environmentId, 'cpu.stat'))
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'latin1'));
  return Number(/^nr_throttled (\d+)$/m.exec(statistics.join(''))?.[1]);
}
