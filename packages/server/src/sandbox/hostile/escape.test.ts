import { chmodSync, chownSync, copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, type TestContext } from 'vitest';
import { lineOf, processesWith, startNode, startShell, uniqueSeconds } from '../contract-bench.ts';
import type { SandboxEnforcement } from '../sandbox.ts';
import { attempt, each, HostileBench, run } from './hostile-bench.ts';

describe.each(['executed', 'forked'] as const)('C. Escape: a function that was %s', (start) => {
  let hostile: HostileBench;
  let unavailable: string | undefined;
  beforeAll(async () => {
    const bench = await HostileBench.open(start);
    if (typeof bench === 'string') unavailable = bench;
    else hostile = bench;
  });
  afterAll(async () => {
    await hostile?.[Symbol.asyncDispose]();
  });

  function requires(context: TestContext, ...properties: (keyof SandboxEnforcement)[]): void {
    context.skip(unavailable !== undefined, unavailable);
    hostile.requires(context, ...properties);
  }
  /** For tests that call the kernel themselves. */
  function requiresProbe(context: TestContext, ...properties: (keyof SandboxEnforcement)[]): void {
    requires(context, ...properties);
    hostile.requiresProbe(context);
  }

  test('C21 core_pattern is not writable, nor is any other setting of the kernel', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await hostile.create();
    const script = `for f in $(find /proc/sys -type f) /proc/sysrq-trigger; do
      (: >> "$f") 2>/dev/null && echo "$f"; done; echo done`;
    const { stdout } = await run(sandbox, ['/bin/sh', '-c', script]);
    expect(stdout).toBe('done\n');
  });

  test('C22 process 1 tells no value of the host', async (context) => {
    requires(context, 'processIsolation');
    await using sandbox = await hostile.create();
    const script = 'cat /proc/1/environ; tr "\\0" " " < /proc/1/cmdline; cat /proc/cmdline';
    const { stdout } = await run(sandbox, ['/bin/sh', '-c', script]);
    expect(stdout).not.toContain(hostile.bench.dataDir);
    expect(stdout).not.toContain(hostile.bench.task);
    const hostLine = readFileSync('/proc/cmdline', 'utf8').trim();
    if (hostLine !== '') expect(stdout).not.toContain(hostLine);
    // Bubblewrap's own arguments, which come by a descriptor.
    const own = stdout.replaceAll(/^PWD=\/\0|^\S*bwrap --args \d+ -- /g, '');
    expect(own.startsWith(start === 'forked' ? '/usr/bin/sleep infinity ' : '/bin/sh -c ')).toBe(
      true,
    );
  });

  test('C24 a working folder among the descriptors leads nowhere', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await hostile.create();
    const folders = ['/proc/self/cwd', '/proc/1/root', '/proc/self/root', '/tmp/../proc', '/tmp/x'];
    for (let descriptor = 3; descriptor < 24; descriptor += 1) {
      folders.push(`/proc/self/fd/${descriptor}`);
    }
    // Where a function is the first to say what is there, as in /tmp, it could be a link to the same.
    for (const cwd of folders) {
      await expect(run(sandbox, ['/bin/ls', '-A', '.', '..'], { cwd })).rejects.toThrow(
        `Cannot start a program in ${cwd} as its folder must be one of /, /var/task, /opt, /tmp`,
      );
    }
  });

  const NAMESPACES = [
    'unshare-user',
    'unshare-mount',
    'unshare-net',
    'clone-user',
    'clone-pid',
    'setns',
    'mount-proc',
    'mount-bind',
    'remount',
    'umount',
    'pivot_root',
    'chroot',
    'fsopen',
    'open_tree',
    'move_mount',
    'mount_setattr',
  ];

  test('C25 unshare, mount and setns are not permitted, and clone has no namespaces', async (context) => {
    requiresProbe(context, 'systemCalls');
    await using sandbox = await hostile.create();
    expect(await attempt(sandbox, ...NAMESPACES)).toEqual(each(NAMESPACES, 'EPERM'));
    expect(await attempt(sandbox, 'clone', 'clone3')).toEqual({ clone: 'ok', clone3: 'ENOSYS' });
  });

  test('C26 another environment is invisible, and no process can be reached into', async (context) => {
    requiresProbe(context, 'processIsolation', 'systemCalls');
    await using victim = await hostile.create();
    await using sandbox = await hostile.create();
    const seconds = uniqueSeconds();
    const guest = await startShell(victim, 'echo up; exec sleep "$1"', seconds);
    await lineOf(guest, 'up');
    for (const pid of processesWith(seconds)) {
      const names = [`signal:${pid}`, `attach:${pid}`, `read:/proc/${pid}/environ`];
      expect(await attempt(sandbox, ...names)).toEqual({
        [`signal:${pid}`]: 'ESRCH',
        [`attach:${pid}`]: 'EPERM',
        [`read:/proc/${pid}/environ`]: 'ENOENT',
      });
    }
    const calls = ['ptrace-self', 'ptrace-parent', 'process_vm_readv', 'process_vm_writev'];
    const more = ['kcmp', 'pidfd_getfd'];
    expect(await attempt(sandbox, ...calls, ...more)).toEqual(each([...calls, ...more], 'EPERM'));
    await guest.kill();
  });

  test('C27 no device can be made', async (context) => {
    requiresProbe(context, 'systemCalls');
    await using sandbox = await hostile.create();
    const devices = ['mknod-null', 'mknod-block', 'mknod-whiteout'];
    expect(await attempt(sandbox, ...devices, 'mkfifo')).toEqual({
      ...each(devices, 'EPERM'),
      mkfifo: 'ok',
    });
  });

  test('C27 a device that is there already is dead on a disk of the function', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await hostile.create();
    const { stdout } = await run(sandbox, ['/bin/cat', '/proc/self/mountinfo']);
    const options = (folder: string): string | undefined =>
      new RegExp(` ${folder} (\\S+) `).exec(stdout)?.[1];
    for (const folder of ['/tmp', '/var/task', '/dev/shm', '/var/runtime', '/var/lang']) {
      expect([folder, options(folder)]).toEqual([folder, expect.stringContaining('nosuid')]);
      expect([folder, options(folder)]).toEqual([folder, expect.stringContaining('nodev')]);
    }
  });

  test('C28 no control group is to be seen', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await hostile.create();
    const script = `grep -c cgroup /proc/self/mountinfo; ls -d /sys /sys/fs/cgroup 2>/dev/null
      find / -xdev -name release_agent 2>/dev/null; cat /proc/self/cgroup`;
    const { stdout } = await run(sandbox, ['/bin/sh', '-c', script]);
    const [count, ...lines] = stdout.trim().split('\n');
    expect(count).toBe('0');
    // What is left names groups without a path, or in version 2 by the names that Hearth gave them.
    for (const line of lines) {
      expect(line).toMatch(/^\d+:[^:]*:\/(hearth-[0-9a-f]{12}\/[a-z0-9-]+)?$/);
    }
  });

  test('C29 bpf, keyrings, userfaultfd and the like are not permitted, io_uring is not there', async (context) => {
    requiresProbe(context, 'systemCalls');
    await using sandbox = await hostile.create();
    const denied = [
      'bpf',
      'keyctl',
      'add_key',
      'request_key',
      'userfaultfd',
      'perf_event_open',
      'kexec_load',
      'init_module',
      'name_to_handle_at',
      'open_by_handle_at',
      'quotactl',
      'swapon',
      'reboot',
      'acct',
      'settimeofday',
      'clock_settime',
      'adjtimex',
      'syslog',
      'personality-no-randomize',
    ];
    const absent = ['io_uring_setup', 'io_uring_enter', 'vmsplice', 'newer-call'];
    expect(await attempt(sandbox, ...denied, ...absent, 'personality-query')).toEqual({
      ...each(denied, 'EPERM'),
      ...each(absent, 'ENOSYS'),
      'personality-query': 'ok',
    });
  });

  test('C29 sockets are local, of the internet, or list the interfaces', async (context) => {
    requiresProbe(context, 'systemCalls');
    await using sandbox = await hostile.create();
    const allowed = ['socket-local', 'socket-inet', 'socket-inet6', 'socket-route'];
    const unknown = ['socket-audit', 'socket-packet', 'socket-vsock', 'socket-alg'];
    expect(await attempt(sandbox, ...allowed, ...unknown, 'socket-sctp')).toEqual({
      ...each(allowed, 'ok'),
      ...each(unknown, 'EAFNOSUPPORT'),
      'socket-sctp': 'EPROTONOSUPPORT',
    });
  });

  test('C30 a call of 32 bits ends the process, one of x32 is not there', async (context) => {
    requiresProbe(context, 'systemCalls');
    context.skip(process.arch !== 'x64', 'needs x86_64');
    await using sandbox = await hostile.create();
    expect(await attempt(sandbox, 'x32')).toEqual({ x32: 'ENOSYS' });
    const { exit, stdout } = await run(sandbox, ['/var/task/probe', '@int80']);
    expect(stdout).toBe('');
    expect(exit).toMatchObject({ code: undefined, signal: 'signal 31' });
  });

  test('C31 there is no terminal, and none takes input from a program', async (context) => {
    requiresProbe(context, 'systemCalls');
    await using sandbox = await hostile.create();
    const ioctls = ['tiocsti', 'tiocsti-high', 'tioclinux'];
    expect(await attempt(sandbox, ...ioctls, 'terminal')).toEqual({
      ...each(ioctls, 'EPERM'),
      terminal: 'ENXIO',
    });
  });

  test('C32 /sys, the memory of the kernel and its messages are not there', async (context) => {
    requiresProbe(context, 'filesystem');
    await using sandbox = await hostile.create();
    const outcomes = await attempt(
      sandbox,
      'read:/sys/kernel',
      'read:/dev/kmsg',
      'read:/dev/mem',
      'read:/dev/kvm',
      'read:/dev/fuse',
      'read:/proc/kcore',
      'read:/proc/kmsg',
      'write:/proc/sysrq-trigger',
    );
    for (const [name, outcome] of Object.entries(outcomes)) {
      expect([name, outcome]).toEqual([
        name,
        expect.stringMatching(/^(ENOENT|EACCES|EPERM|EROFS)$/),
      ]);
    }
    expect(outcomes['read:/sys/kernel']).toBe('ENOENT');
    expect(outcomes['read:/dev/kmsg']).toBe('ENOENT');
    const { stdout } = await run(sandbox, [
      '/bin/cat',
      '/proc/keys',
      '/proc/key-users',
      '/proc/interrupts',
      '/proc/kallsyms',
      '/proc/config.gz',
      '/proc/timer_list',
    ]);
    expect(stdout).toBe('');
  });

  test('C34 a set-uid program gains nothing', async (context) => {
    requiresProbe(context, 'user');
    context.skip(process.getuid?.() !== 0, 'needs root');
    const program = join(hostile.bench.task, 'set-uid');
    copyFileSync('/usr/bin/id', program);
    chownSync(program, 0, 0);
    chmodSync(program, 0o4755);
    await using sandbox = await hostile.create();
    const { stdout } = await run(sandbox, ['/bin/sh', '-c', '/var/task/set-uid -u; id -u']);
    const [asProgram, asSelf] = stdout.trim().split('\n');
    expect(asProgram).toBe(asSelf);
    expect(asProgram).not.toBe('0');
    expect(await attempt(sandbox, 'setuid-root')).not.toEqual({ 'setuid-root': 'ok' });
    // Also the system's own, where there is one.
    const script = `find /usr/bin -perm -4000 -exec stat -c %n {} + | head -1`;
    const { stdout: found } = await run(sandbox, ['/bin/sh', '-c', script]);
    if (found.trim() === '/usr/bin/su') {
      expect((await run(sandbox, ['/usr/bin/su', '-c', 'id -u'])).exit.code).not.toBe(0);
    }
  });

  test('C35 code, runtime and system cannot be overwritten', async (context) => {
    requiresProbe(context, 'filesystem');
    const code = join(hostile.bench.task, 'code.txt');
    const runtime = join(hostile.bench.directories.runtime, 'bootstrap');
    writeFileSync(runtime, 'runtime');
    for (const file of [code, runtime]) chmodSync(file, 0o666);
    await using sandbox = await hostile.create();
    const names = [
      'write:/var/task/code.txt',
      'create:/var/task/new',
      'create:/var/task/open/new',
      'write:/var/runtime/bootstrap',
      'create:/var/runtime/new',
      'create:/var/lang/new',
      'create:/opt/new',
      'create:/usr/new',
      'create:/etc/new',
      'create:/dev/new',
      'create:/new',
    ];
    const outcomes = await attempt(sandbox, ...names);
    for (const name of names) {
      expect([name, outcomes[name]]).toEqual([name, expect.stringMatching(/^(EROFS|EACCES)$/)]);
    }
    // Where permissions would let it, the mount does not.
    for (const name of names.slice(0, 5)) expect([name, outcomes[name]]).toEqual([name, 'EROFS']);
    expect([readFileSync(code, 'utf8'), readFileSync(runtime, 'utf8')]).toEqual([
      'code',
      'runtime',
    ]);
  });

  test('C33 swapping folders 10,000 times while programs start leads none of them astray', async (context) => {
    requires(context, 'filesystem');
    await using sandbox = await hostile.create();
    const attacker = await startNode(sandbox, SWAPPER);
    const done = { swaps: 0 };
    attacker.stdout.on('data', (count: Buffer) => {
      done.swaps = Number(count.toString().trim().split('\n').at(-1));
    });
    const script = `for f in /proc/sys/kernel/core_pattern /proc/sysrq-trigger /dev/kmsg /etc/new /usr/new; do
        (: >> $f) 2>/dev/null && echo "$f"; done
      ls -d /sys /root /home /proc/1/root/home 2>/dev/null; cat /proc/keys; test -c /dev/null || echo null`;
    for (let started = 0; done.swaps < 10_000 || started < 25; started += 1) {
      expect((await run(sandbox, ['/bin/sh', '-c', script])).stdout).toBe('');
      await expect(run(sandbox, ['/bin/ls'], { cwd: '/tmp/work' })).rejects.toThrow('/tmp/work');
    }
    await attacker.kill();
  });
});

/** Swaps a working folder with a link out of it, and tries the same with what is masked. */
const SWAPPER = `
  const { mkdirSync, renameSync, symlinkSync, unlinkSync, writeSync } = require('node:fs');
  process.chdir('/tmp');
  mkdirSync('work');
  symlinkSync('/proc/1/root', 'link');
  const tries = [
    () => unlinkSync('/dev/null'),
    () => renameSync('/dev/null', '/dev/none'),
    () => symlinkSync('/proc/sys', '/dev/null'),
    () => unlinkSync('/proc/keys'),
  ];
  for (let swaps = 0; ; swaps += 1) {
    renameSync('work', 'aside'); renameSync('link', 'work');
    renameSync('work', 'link'); renameSync('aside', 'work');
    try { tries[swaps % tries.length](); writeSync(1, 'NaN\\n'); } catch {}
    if (swaps % 100 === 0) writeSync(1, swaps + '\\n');
  }
`;
