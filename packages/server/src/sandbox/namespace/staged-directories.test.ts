import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test, type TestContext } from 'vitest';
import { loadLinuxSystemCalls, MountFlag } from '../../system-calls/linux-system-calls.ts';
import {
  ContractBench,
  lineOf,
  runNode,
  runShell,
  type SandboxChange,
  startShell,
} from '../contract-bench.ts';
import { CodeFolderError, type Sandbox } from '../sandbox.ts';
import {
  childNumbers,
  descriptorCount,
  findMappingObstacle,
  mountLines,
  openNamespace,
  privateFolder,
} from './folder-fixture.ts';

const MS_SHARED = 1 << 20;
const OWNER = 54_321;

const obstacle = await findMappingObstacle();

describe('folders that a sandbox shows', () => {
  let bench: ContractBench;
  let outer: string;
  let count = 0;
  let folder: string;

  beforeAll(async () => {
    if (obstacle !== undefined) return;
    outer = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-staged-')));
    bench = await ContractBench.open(openNamespace);
  });
  afterAll(async () => {
    await bench?.[Symbol.asyncDispose]();
    if (outer !== undefined) rmSync(outer, { recursive: true });
  });
  beforeEach((context: TestContext) => {
    context.skip(obstacle !== undefined, obstacle);
    count += 1;
    folder = join(outer, String(count));
  });

  test.each([0, OWNER])('in place are read as their owner, uid %i, would', async (owner) => {
    privateFolder(folder, 'private', owner);
    await using sandbox = await bench.create(inPlace(folder));
    const script =
      'cat code.txt; stat -c " %u:%g %a" code.txt; echo x > code.txt; echo x > new; true';
    const { stdout, stderr } = await runShell(sandbox, `cd /var/task; ${script}`);
    expect(stdout).toBe('private 993:990 600\n');
    expect(stderr.match(/Read-only file system/g)).toHaveLength(2);
    const { uid, mode } = statSync(join(folder, 'code.txt'));
    expect([uid, mode & 0o777]).toEqual([owner, 0o600]);
    expect(readdirSync(folder)).toEqual(['code.txt']);
  });

  test('in place show files of the owning group, and those of others as far as everyone may', async () => {
    privateFolder(folder, 'private', OWNER);
    const files: [string, number, number, number][] = [
      ['group', 0, OWNER, 0o640],
      ['everyone', 0, 0, 0o644],
      ['root', 0, 0, 0o600],
    ];
    for (const [name, uid, gid, mode] of files) {
      writeFileSync(join(folder, name), `${name}\n`);
      chmodSync(join(folder, name), mode);
      chownSync(join(folder, name), uid, gid);
    }
    await using sandbox = await bench.create(inPlace(folder));
    const { stdout, stderr } = await runShell(
      sandbox,
      'cd /var/task; cat group everyone root; true',
    );
    expect(stdout).toBe('group\neveryone\n');
    expect(stderr).toContain('root: Permission denied');
  });

  test('in place are open to their own sandbox only', async () => {
    privateFolder(folder);
    chmodSync(folder, 0o755);
    chmodSync(join(folder, 'code.txt'), 0o644);
    await using sandbox = await bench.create(inPlace(folder));
    await using other = await bench.create(inPlace(folder));
    const guests = await Promise.all(
      [sandbox, other].map(async (each) => {
        const guest = await startShell(each, 'echo up; exec sleep 1000');
        await lineOf(guest, 'up');
        return guest;
      }),
    );
    const places = mountLines(` ${folder} `).map((line) => line.split(' ')[4] ?? '');
    expect(places).toHaveLength(2);
    const uids = new Set(places.map((place) => statSync(join(place, '..')).uid));
    expect(uids.size).toBe(2);
    for (const place of places) {
      const own = statSync(join(place, '..'));
      expect(own.mode & 0o777).toBe(0o700);
      expect(readAs(place, own.uid, own.gid)).toBe('private');
      const otherUid = [...uids].find((uid) => uid !== own.uid) ?? 0;
      expect(() => readAs(place, otherUid, own.gid)).toThrow('Permission denied');
      expect(() => readAs(place, OWNER, OWNER)).toThrow('Permission denied');
    }
    await Promise.all(guests.map((guest) => guest.kill()));
  });

  test('in place that were replaced are the new ones for the next sandbox', async () => {
    privateFolder(folder, 'before');
    await using first = await bench.create(inPlace(folder));
    expect((await runShell(first, 'cat /var/task/code.txt')).stdout).toBe('before');
    rmSync(folder, { recursive: true });
    privateFolder(folder, 'after');
    await using second = await bench.create(inPlace(folder));
    expect((await runShell(second, 'cat /var/task/code.txt')).stdout).toBe('after');
  });

  test('in place are refused where a link has been put in their path', async () => {
    const secret = privateFolder(join(folder, 'secret', 'deep'), 'secret');
    symlinkSync(secret, join(folder, 'link'));
    symlinkSync(join(folder, 'secret'), join(folder, 'parent'));
    for (const path of [join(folder, 'link'), join(folder, 'parent', 'deep')]) {
      await expect(bench.create(inPlace(path))).rejects.toBeInstanceOf(CodeFolderError);
      await expect(bench.create(inPlace(path))).rejects.toThrow('through a symbolic link');
    }
  });

  test('in place are refused where they are gone, are files, or are the server’s own', async () => {
    privateFolder(folder);
    const cases = [
      [join(folder, 'gone'), 'must be a folder'],
      [join(folder, 'code.txt'), 'must be a folder'],
      [bench.dataDir, "apart from the server's own folder"],
      [join(bench.dataDir, '..'), "apart from the server's own folder"],
      ['/run', "apart from the server's own folder"],
    ] as const;
    for (const [path, message] of cases) {
      const created = bench.create(inPlace(path));
      await expect(created).rejects.toThrow(message);
      await expect(created).rejects.toBeInstanceOf(CodeFolderError);
    }
  });

  test('in place keep links that lead outside, which lead nowhere inside', async () => {
    privateFolder(folder);
    symlinkSync(privateFolder(`${folder}-outside`), join(folder, 'link'));
    await using sandbox = await bench.create(inPlace(folder));
    const { stdout, stderr } = await runShell(sandbox, 'cat /var/task/link/code.txt; echo ended');
    expect(stdout).toBe('ended\n');
    expect(stderr).toContain('No such file or directory');
  });

  test('in place show what is mounted below, and leave it mounted where they are shared', async () => {
    const calls = await loadLinuxSystemCalls();
    privateFolder(folder);
    await using mounts = new AsyncDisposableStack();
    calls.mount(folder, folder, '', MountFlag.bind, '');
    mounts.defer(() => calls.unmount(folder));
    calls.mount('', folder, '', MS_SHARED, '');
    for (const [name, type] of [
      ['below', 'tmpfs'],
      ['processes', 'proc'],
    ] as const) {
      mkdirSync(join(folder, name));
      calls.mount('test', join(folder, name), type, 0, '');
      mounts.defer(() => calls.unmount(join(folder, name)));
    }
    writeFileSync(join(folder, 'below', 'file'), 'below');
    {
      await using sandbox = await bench.create(inPlace(folder));
      const script = 'cd /var/task; cat code.txt below/file; echo x > below/file; true';
      const { stdout, stderr } = await runShell(sandbox, script);
      expect(stdout).toBe('privatebelow');
      expect(stderr).toContain('Read-only file system');
    }
    expect(mountLines(` ${join(folder, 'below')} `)).toHaveLength(1);
  });

  test('of the runtime and the language are mapped where not everyone may read them', async () => {
    privateFolder(join(folder, 'language'));
    mkdirSync(join(folder, 'runtime'));
    chmodSync(folder, 0o755);
    writeFileSync(join(folder, 'runtime', 'index'), 'index');
    chmodSync(join(folder, 'runtime', 'index'), 0o600);
    const directories = {
      ...bench.directories,
      runtime: join(folder, 'runtime'),
      language: join(folder, 'language'),
    };
    await using sandbox = await bench.create({ directories });
    const { stdout } = await runShell(sandbox, 'cat /var/runtime/index /var/lang/code.txt');
    expect(stdout).toBe('indexprivate');
  });

  test('of the language are refused where they are or hold a home', async () => {
    const home = process.env['HOME'];
    process.env['HOME'] = privateFolder(folder);
    try {
      const directories = { ...bench.directories, language: folder };
      await expect(bench.create({ directories })).rejects.toThrow('must be no home folder');
    } finally {
      if (home === undefined) delete process.env['HOME'];
      else process.env['HOME'] = home;
    }
  });

  test('that everyone may read are shared and not mapped', async () => {
    const closed = privateFolder(folder);
    const task = privateFolder(join(closed, 'task'));
    chmodSync(task, 0o755);
    await using sandbox = await bench.create({ task });
    await using other = await bench.create({ task });
    const lines = mountLines(` ${task} `);
    // One for both.
    expect(lines).toHaveLength(1);
    expect(lines.filter((line) => line.includes('idmapped'))).toEqual([]);
    for (const each of [sandbox, other]) {
      expect((await runShell(each, 'ls /var/task')).stdout).toBe('code.txt\n');
    }
  });

  test('that were deleted are not shared with the ones that take their place', async () => {
    const closed = privateFolder(folder);
    const task = join(closed, 'task');
    const create = (name: string) => {
      mkdirSync(task);
      chmodSync(task, 0o755);
      writeFileSync(join(task, name), '');
      return bench.create({ task });
    };
    await using first = await create('before');
    renameSync(task, join(closed, 'moved'));
    await using second = await create('after');
    expect([await namesIn(first), await namesIn(second)]).toEqual(['before\n', 'after\n']);
    rmSync(task, { recursive: true });
    await using third = await create('at last');
    expect(await namesIn(third)).toBe('at last\n');
  });

  test('leave no mount, descriptor, folder or process, also where a sandbox is refused', async () => {
    privateFolder(folder);
    await (await bench.create(inPlace(folder)))[Symbol.asyncDispose]();
    const before = descriptorCount();
    // More than what is made ahead in the background may take.
    const rounds = 60;
    for (let round = 0; round < rounds; round += 1) {
      const sandbox = await bench.create(inPlace(folder));
      await sandbox[Symbol.asyncDispose]();
      const directories = { ...bench.directories, language: join(folder, 'gone') };
      await expect(bench.create({ ...inPlace(folder), directories })).rejects.toThrow('ENOENT');
    }
    expect(descriptorCount()).toBeLessThan(before + rounds);
    expect(mountLines(folder)).toEqual([]);
    expect(childNumbers()).toBe('');
    const [instance] = readdirSync(join(bench.dataDir, 'run'));
    expect(readdirSync(join('/run/hearth', instance ?? '', 'mapped'))).toEqual([]);
  });

  test('are shown by a server whose umask keeps everything from others', async () => {
    const umask = process.umask(0o077);
    try {
      await using closed = await ContractBench.open(openNamespace);
      chmodSync(closed.task, 0o755);
      await using sandbox = await closed.create(inPlace(privateFolder(folder)));
      const script = `console.log(require('node:fs').readFileSync('/var/task/code.txt', 'utf8'))`;
      expect((await runNode(sandbox, script)).stdout).toBe('private\n');
      expect((await runShell(sandbox, 'getent passwd 993 | wc -l')).stdout).toBe('1\n');
    } finally {
      process.umask(umask);
    }
  });
});

function readAs(place: string, uid: number, gid: number): string {
  return execFileSync('cat', [join(place, 'code.txt')], { uid, gid, stdio: 'pipe' }).toString();
}

async function namesIn(sandbox: Sandbox): Promise<string> {
  return (await runShell(sandbox, 'ls /var/task')).stdout;
}

function inPlace(task: string): SandboxChange {
  return { task, taskInPlace: true };
}
