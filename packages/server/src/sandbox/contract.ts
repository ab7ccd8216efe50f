import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  ContractBench,
  lineOf,
  NEVER,
  outcomeOf,
  processesWith,
  runShell,
  startNode,
  startShell,
  tracesOf,
  uniqueSeconds,
} from './contract-bench.ts';
import { type SandboxDriver, SandboxError } from './sandbox.ts';

/** What a driver may be unable to do, each with the reason, which is shown with the skipped test. */
export type ContractSkip = Partial<Record<'descriptors' | 'escapees' | 'exitAbove128', string>>;

export interface SandboxContractOptions {
  readonly name: string;
  /** Opens a driver on a data folder. */
  readonly create: (dataDir: string) => Promise<SandboxDriver>;
  readonly skip?: ContractSkip;
}

/** The behaviour that every sandbox driver has, as tests with real processes. */
export function describeSandboxDriver({ name, create, skip = {} }: SandboxContractOptions): void {
  describe(`sandbox driver ${name}`, () => {
    let bench: ContractBench;
    beforeAll(async () => {
      bench = await ContractBench.open(create);
    });
    afterAll(async () => {
      await bench[Symbol.asyncDispose]();
    });

    describe('a guest', () => {
      test('has the descriptors 0 to 4 and no other', async (context) => {
        context.skip(skip.descriptors !== undefined, skip.descriptors);
        const { default: koffi } = await import('koffi');
        const libc = koffi.load(null);
        // Not closed on exec, as what a server may have been started with.
        const leaked: number = libc.func('int dup2(int from, int to)')(0, 200);
        try {
          await using sandbox = await bench.create();
          // The shell is still there while `ls` looks, and opens nothing itself.
          const { stdout } = await runShell(sandbox, 'ls /proc/$$/fd; true');
          expect(stdout.trim().split('\n').sort()).toEqual(['0', '1', '2', '3', '4']);
        } finally {
          libc.func('int close(int fd)')(leaked);
        }
      });

      test('reads nothing from standard input', async () => {
        await using sandbox = await bench.create();
        const { stdout } = await runShell(sandbox, 'wc -c');
        expect(stdout.trim()).toBe('0');
      });

      test('has the variables it was given and, of its own, at most PWD', async () => {
        await using sandbox = await bench.create();
        const environment = { A: '1', EMPTY: '', 'odd name': 'x=y\nz' };
        const guest = await sandbox.start(
          {
            argv: ['/usr/bin/env', '-0'],
            environment,
            cwd: sandbox.paths.tmp,
            descriptors: 'channel',
          },
          NEVER,
        );
        const { stdout } = await outcomeOf(guest);
        const entries = stdout.split('\0').filter((entry) => entry !== '');
        expect(entries.filter((entry) => !entry.startsWith('PWD=')).sort()).toEqual(
          Object.entries(environment)
            .map(([key, value]) => `${key}=${value}`)
            .sort(),
        );
      });

      test('starts in the folder it was given', async () => {
        await using sandbox = await bench.create();
        const { stdout } = await runShell(sandbox, 'pwd -P');
        expect(stdout).toBe(`${sandbox.paths.tmp}\n`);
      });

      test('finds its code, runtime, language, opt and tmp where the paths say', async () => {
        await using sandbox = await bench.create();
        const { task, runtime, language, opt, tmp } = sandbox.paths;
        const script =
          'cat "$1/code.txt" && ls -d "$2" && ls -d "$3/bin" && ls -d "$4" && touch "$5/x"';
        const { exit, stdout } = await runShell(sandbox, script, task, runtime, language, opt, tmp);
        expect(stdout).toBe(`code${runtime}\n${language}/bin\n${opt}\n`);
        expect(exit.code).toBe(0);
      });

      test('writes to stdout, stderr and log, and talks both ways on its channel', async () => {
        await using sandbox = await bench.create();
        const guest = await startNode(
          sandbox,
          `const fs = require('node:fs');
           const channel = new (require('node:net').Socket)({ fd: 3 });
           fs.writeSync(1, 'out'); fs.writeSync(2, 'err'); fs.writeSync(4, 'log');
           channel.on('data', (data) => channel.write('<' + data + '>'));
           channel.on('end', () => process.exit(0));`,
        );
        const logged = once(guest.log, 'data');
        guest.channel.write('hello');
        expect(String((await once(guest.channel, 'data'))[0])).toBe('<hello>');
        expect(String((await logged)[0])).toBe('log');
        guest.channel.end();
        const { exit, stdout, stderr } = await outcomeOf(guest);
        expect([stdout, stderr, exit.code]).toEqual(['out', 'err', 0]);
      });

      test('that closes its channel and leaves does not end the server', async () => {
        await using sandbox = await bench.create();
        const guest = await startShell(sandbox, 'exec 3>&-; sleep 0.05');
        guest.channel.write(Buffer.alloc(1_000_000));
        await outcomeOf(guest);
        guest.channel.write('too late');
        expect((await guest.exited).code).toBe(0);
      });
    });

    describe('the exit', () => {
      test.each([0, 1, 77, 127, 255])('status %i is reported', async (status) => {
        await using sandbox = await bench.create();
        const { exit } = await runShell(sandbox, `exit ${status}`);
        expect(exit).toEqual({ code: status, signal: undefined, outOfMemory: false });
      });

      test.each([
        ['KILL', 'killed'],
        ['SEGV', 'segmentation fault'],
        ['ABRT', 'aborted'],
        ['TERM', 'terminated'],
        ['HUP', 'hangup'],
        ['FPE', 'floating point exception'],
      ])('by SIG%s is called "%s"', async (signal, words) => {
        await using sandbox = await bench.create();
        const { exit } = await runShell(sandbox, `kill -${signal} $$; sleep 10`);
        expect(exit).toEqual({ code: undefined, signal: words, outOfMemory: false });
      });

      test('status 137 is not taken for SIGKILL', async (context) => {
        context.skip(skip.exitAbove128 !== undefined, skip.exitAbove128);
        await using sandbox = await bench.create();
        // Of a program that is over sooner than it is seen, no more than that can be told.
        const script = `new (require('node:net').Socket)({ fd: 3 }).once('data', () => process.exit(137));`;
        const guest = await startNode(sandbox, script);
        guest.channel.write('go');
        const { exit } = await outcomeOf(guest);
        expect(exit).toEqual({ code: 137, signal: undefined, outOfMemory: false });
      });

      test('of a program that is not there has status 127, and stderr names it', async () => {
        await using sandbox = await bench.create();
        const command = {
          argv: ['/opt/absent'] as [string],
          environment: {},
          cwd: '/',
          ...STANDARD,
        };
        const { exit, stderr } = await outcomeOf(await sandbox.start(command, NEVER));
        expect(exit.code).toBe(127);
        expect(stderr).toContain('/opt/absent');
      });

      test('of a file that may not be executed has status 126', async () => {
        await using sandbox = await bench.create();
        const argv = [`${sandbox.paths.task}/code.txt`] as [string];
        const guest = await sandbox.start({ argv, environment: {}, cwd: '/', ...STANDARD }, NEVER);
        expect((await outcomeOf(guest)).exit.code).toBe(126);
      });

      test('leaves a memory peak that can still be read', async () => {
        await using sandbox = await bench.create();
        const script = 'globalThis.kept = Buffer.alloc(64e6, 1); console.log("full");';
        const guest = await startNode(sandbox, `${script} setInterval(() => {}, 1e6)`);
        await lineOf(guest, 'full');
        expect(sandbox.memoryPeakBytes()).toBeGreaterThan(64e6);
        await guest.kill();
        expect(sandbox.memoryPeakBytes()).toBeGreaterThan(64e6);
      });
    });

    describe('starting', () => {
      test('in a folder that is not there rejects', async () => {
        await using sandbox = await bench.create();
        const command = {
          argv: ['/bin/true'] as [string],
          environment: {},
          cwd: '/absent',
          ...STANDARD,
        };
        await expect(sandbox.start(command, NEVER)).rejects.toThrow(SandboxError);
      });

      test('rejects where a text holds NUL or the name of a variable "="', async () => {
        await using sandbox = await bench.create();
        const command = { argv: ['/bin/true'] as [string], environment: {}, cwd: '/', ...STANDARD };
        await expect(sandbox.start({ ...command, argv: ['a\0b'] }, NEVER)).rejects.toThrow('NUL');
        await expect(
          sandbox.start({ ...command, environment: { 'A=B': '' } }, NEVER),
        ).rejects.toThrow('received "A=B"');
      });

      test('rejects when it is aborted, and leaves no process', async () => {
        await using sandbox = await bench.create();
        const seconds = uniqueSeconds();
        const command = {
          argv: ['/bin/sleep', seconds] as [string, string],
          environment: {},
          cwd: '/',
          ...STANDARD,
        };
        await expect(sandbox.start(command, AbortSignal.abort())).rejects.toThrow(SandboxError);
        const aborting = new AbortController();
        const started = sandbox.start(command, aborting.signal);
        aborting.abort();
        // A driver that has started it already may let it live; it is then killed like any other.
        await started.then(
          (guest) => guest.kill(),
          (error: unknown) => expect(error).toBeInstanceOf(SandboxError),
        );
        expect(processesWith(seconds)).toEqual([]);
      });
    });

    describe('killing', () => {
      const daemons = `
        (setsid sh -c 'trap "" TERM HUP; sleep "$1" & sleep "$1"' sh "$1" &)
        env -i setsid sleep "$1" &
        (setsid setsid sh -c 'setsid sleep "$1" & exit' sh "$1" &)
        sleep "$1" &
        while [ "$(grep -slx "sleep" /proc/[0-9]*/comm | wc -l)" -lt 1 ]; do sleep 0.01; done
        echo ready`;

      test('ends daemons, double forks and orphans with it', async (context) => {
        context.skip(skip.escapees !== undefined, skip.escapees);
        await using sandbox = await bench.create();
        const seconds = uniqueSeconds();
        const guest = await startShell(sandbox, `${daemons}; wait`, seconds);
        await lineOf(guest, 'ready');
        expect(processesWith(seconds).length).toBeGreaterThanOrEqual(2);
        await guest.kill();
        expect(processesWith(seconds)).toEqual([]);
        expect((await guest.exited).signal).toBe('killed');
      });

      test('is done by the exit of the main process, too', async (context) => {
        context.skip(skip.escapees !== undefined, skip.escapees);
        await using sandbox = await bench.create();
        const seconds = uniqueSeconds();
        const guest = await startShell(sandbox, `${daemons}; exit 5`, seconds);
        expect((await guest.exited).code).toBe(5);
        expect(processesWith(seconds)).toEqual([]);
      });

      test('twice, or after the exit, does nothing', async () => {
        await using sandbox = await bench.create();
        const guest = await startShell(sandbox, 'sleep 1000');
        await Promise.all([guest.kill(), guest.kill()]);
        await guest.kill();
        expect((await guest.exited).signal).toBe('killed');
        guest.terminate();
      });
    });

    describe('the writable folder', () => {
      test('has mode 1777 and survives a restart of the process', async () => {
        await using sandbox = await bench.create();
        const { tmp } = sandbox.paths;
        const first = await runShell(sandbox, 'stat -c %a "$1"; echo kept > "$1/file"', tmp);
        expect(first.stdout).toBe('1777\n');
        expect((await runShell(sandbox, 'cat "$1/file"', tmp)).stdout).toBe('kept\n');
      });

      test('is empty in a new sandbox of the same name', async () => {
        const spec = bench.spec();
        const first = await bench.driver.create(spec, NEVER);
        await runShell(first, 'mkdir -p a/b; echo x > a/b/c; chmod 0 a/b');
        await first[Symbol.asyncDispose]();
        await using second = await bench.driver.create(spec, NEVER);
        expect((await runShell(second, 'ls -A')).stdout).toBe('');
      });
    });

    describe('disposing', () => {
      test('a sandbox kills what runs, is shared by repeated calls, and ends starting', async () => {
        const sandbox = await bench.create();
        const seconds = uniqueSeconds();
        const guest = await startShell(sandbox, 'sleep "$1"', seconds);
        await Promise.all([sandbox[Symbol.asyncDispose](), sandbox[Symbol.asyncDispose]()]);
        expect((await guest.exited).signal).toBe('killed');
        expect(processesWith(seconds)).toEqual([]);
        await expect(startShell(sandbox, 'true')).rejects.toThrow('has been disposed');
      });

      test('a sandbox while a process is being started leaves none', async () => {
        const sandbox = await bench.create();
        const seconds = uniqueSeconds();
        const started = startShell(sandbox, 'sleep "$1"', seconds).catch(() => undefined);
        await sandbox[Symbol.asyncDispose]();
        await started;
        expect(processesWith(seconds)).toEqual([]);
      });

      test('the driver disposes every sandbox and removes all that it made', async () => {
        const own = await ContractBench.open(create);
        const [instanceId = ''] = readdirSync(join(own.dataDir, 'run'));
        const sandbox = await own.create();
        const guest = await startShell(sandbox, 'sleep 1000');
        const { dataDir, driver } = own;
        await driver[Symbol.asyncDispose]();
        expect((await guest.exited).signal).toBe('killed');
        expect(readdirSync(join(dataDir, 'run'))).toEqual([]);
        expect(tracesOf(instanceId)).toEqual([]);
        await expect(own.create()).rejects.toThrow('has been disposed');
        await own[Symbol.asyncDispose]();
      });
    });

    describe('creating', () => {
      test('twenty sandboxes at once works', async () => {
        const outcomes = await Promise.all(
          Array.from({ length: 20 }, async (_, index) => {
            await using sandbox = await bench.create();
            return await runShell(sandbox, 'echo "$1" > own; cat *', String(index));
          }),
        );
        expect(outcomes.map(({ stdout }) => stdout)).toEqual(
          outcomes.map((_, index) => `${index}\n`),
        );
      });

      test('a second sandbox for an environment rejects', async () => {
        const spec = bench.spec();
        await using first = await bench.driver.create(spec, NEVER);
        await expect(bench.driver.create(spec, NEVER)).rejects.toThrow('already has one');
        expect((await runShell(first, 'exit 0')).exit.code).toBe(0);
      });

      test('rejects an environment id that could name another folder', async () => {
        await expect(bench.create({ environmentId: '../x' })).rejects.toThrow('received "../x"');
      });

      test('that is aborted rejects and leaves nothing', async () => {
        const own = await ContractBench.open(create);
        const [instanceId = ''] = readdirSync(join(own.dataDir, 'run'));
        const before = tracesOf(instanceId);
        await expect(own.driver.create(own.spec(), AbortSignal.abort())).rejects.toThrow(
          SandboxError,
        );
        const aborting = new AbortController();
        const created = own.driver.create(own.spec(), aborting.signal);
        aborting.abort();
        await expect(created).rejects.toThrow(SandboxError);
        expect(readdirSync(join(own.dataDir, 'run', instanceId)).filter(isSandbox)).toEqual([]);
        expect(tracesOf(instanceId)).toEqual(before);
        await own[Symbol.asyncDispose]();
      });
    });
  });
}

const STANDARD = { descriptors: 'standard' } as const;

function isSandbox(name: string): boolean {
  return name.startsWith('contract-');
}
