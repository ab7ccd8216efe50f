import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { makeFolder, untilWritten } from './cli-harness.ts';

const LAUNCHER = fileURLToPath(new URL('../../../../bin/hearth.mjs', import.meta.url));

/** A Node.js of this machine that is too old for the server and new enough for the launcher. */
const oldNode = (process.env['PATH'] ?? '')
  .split(':')
  .map((folder) => join(folder, 'node'))
  .find((node) => existsSync(node) && /^v2[0-3]\./.test(versionOf(node)));

function versionOf(node: string): string {
  try {
    return execFileSync(node, ['--version'], { encoding: 'utf8' });
  } catch {
    return '';
  }
}

const PROGRAM = `
  console.log(process.versions.node, process.argv.slice(2).join(' '));
  process.exitCode = 7;`;

/** A published package whose program is `program`; its toolchain is empty. */
function makePackage(program: string): string {
  const root = makeFolder();
  for (const folder of ['bin', 'dist/server/src/cli']) {
    mkdirSync(join(root, folder), { recursive: true });
  }
  copyFileSync(LAUNCHER, join(root, 'bin/hearth.mjs'));
  writeFileSync(join(root, 'package.json'), '{"type":"module"}');
  writeFileSync(join(root, 'dist/server/src/cli/main.js'), program);
  return root;
}

interface Launched {
  readonly exitCode: unknown;
  readonly stdout: string;
  readonly stderr: string;
}

async function launch(
  root: string,
  node: string,
  environment: NodeJS.ProcessEnv = {},
): Promise<Launched> {
  const child = spawn(node, [join(root, 'bin/hearth.mjs'), 'a b', '--c'], {
    env: { PATH: '', HOME: root, ...environment },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [stdout, stderr] = ['', ''];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk.toString('utf8');
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk.toString('utf8');
  });
  const [exitCode] = await once(child, 'close');
  return { exitCode, stdout, stderr };
}

/** Puts this test's own Node.js at a path. */
function putNode(path: string): void {
  mkdirSync(dirname(path), { recursive: true });
  const source = realpathSync(process.execPath);
  try {
    linkSync(source, path);
  } catch {
    copyFileSync(source, path);
  }
}

const RAN = { exitCode: 7, stdout: `${process.versions.node} a b --c\n`, stderr: '' };

describe('the launcher', () => {
  test('runs the program itself where its Node.js is new enough', async () => {
    expect(await launch(makePackage(PROGRAM), process.execPath)).toEqual(RAN);
  });

  test('a source tree runs its source, also where dist/ is there', async () => {
    const root = makePackage(`console.log('dist');`);
    const folder = join(root, 'packages/server/src/cli');
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'main.ts'), `const text: string = 'source'; console.log(text);`);
    expect((await launch(root, process.execPath)).stdout).toBe('source\n');
  });
});

/** npm's stand-in: a download of this test's own Node.js, or a failure. */
function putNpm(folder: string, script: string): void {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'npm'), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
}

describe.skipIf(oldNode === undefined)(
  `the launcher on an older Node.js (skipped without one on the PATH)`,
  () => {
    const old = oldNode ?? '';

    test('goes on with the one that HEARTH_NODE names', async () => {
      const environment = { HEARTH_NODE: process.execPath };
      expect(await launch(makePackage(PROGRAM), old, environment)).toEqual(RAN);
    });

    test('refuses a HEARTH_NODE that is too old', async () => {
      const { exitCode, stderr } = await launch(makePackage(PROGRAM), old, { HEARTH_NODE: old });
      expect(stderr).toBe(
        `Cannot start as HEARTH_NODE must be a Node.js 24 or newer: received "${old}"\n`,
      );
      expect(exitCode).toBe(1);
    });

    test('goes on with one from the PATH, also behind an older one', async () => {
      const root = makePackage(PROGRAM);
      putNode(join(root, 'other/node24'));
      const environment = { PATH: `${dirname(old)}:${join(root, 'other')}` };
      expect(await launch(root, old, environment)).toEqual(RAN);
    });

    test('installs one into the cache, once', async () => {
      const root = makePackage(PROGRAM);
      const bin = `"node_modules/\${2%@*}/bin"`;
      putNpm(
        join(root, 'npm'),
        `echo chatter; mkdir -p ${bin} && cp '${realpathSync(process.execPath)}' ${bin}/node`,
      );
      const cache = join(root, 'cache');
      const environment = { XDG_CACHE_HOME: cache, PATH: `${join(root, 'npm')}:/usr/bin:/bin` };
      const first = await launch(root, old, environment);
      expect(first).toMatchObject({ exitCode: RAN.exitCode, stdout: RAN.stdout });
      expect(first.stderr).toMatch(
        /^Hearth needs Node\.js 24 or newer, this is .*: installing .*\n$/,
      );
      expect(readdirSync(join(cache, 'hearth'))).toEqual(['node-24']);
      expect(await launch(root, old, { ...environment, PATH: '' })).toEqual(RAN);
    });

    test('says in a line why it cannot install one, and leaves nothing behind', async () => {
      const root = makePackage(PROGRAM);
      putNpm(join(root, 'npm'), 'exit 1');
      const cache = join(root, 'cache');
      const PATH = join(root, 'npm');
      const { exitCode, stderr } = await launch(root, old, { XDG_CACHE_HOME: cache, PATH });
      expect(stderr).toMatch(/\nCannot install Node\.js: Command failed: npm .*\n$/);
      expect([exitCode, readdirSync(join(cache, 'hearth'))]).toEqual([1, []]);
      const withoutNpm = await launch(root, old, { XDG_CACHE_HOME: cache });
      expect(withoutNpm.stderr).toContain('npm is not on the PATH');
    });

    test('passes signals on and gives the exit code of the program', async () => {
      const root = makePackage(`
        process.on('SIGTERM', () => process.exit(9));
        setInterval(() => undefined, 60_000);
        console.log('ready');`);
      const child = spawn(old, [join(root, 'bin/hearth.mjs')], {
        env: { HEARTH_NODE: process.execPath },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      await untilWritten(child.stdout.setEncoding('utf8'), 'ready');
      const closed = once(child, 'close');
      child.kill('SIGTERM');
      expect(await closed).toEqual([9, null]);
    });

    test('the program learns that the launcher was killed', async () => {
      const root = makePackage(`
        process.on('disconnect', () => { console.log('alone'); process.exit(0); });
        console.log('ready');`);
      const child = spawn(old, [join(root, 'bin/hearth.mjs')], {
        env: { HEARTH_NODE: process.execPath },
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      const output = child.stdout.setEncoding('utf8');
      await untilWritten(output, 'ready');
      const alone = untilWritten(output, 'alone');
      child.kill('SIGKILL');
      await expect(alone).resolves.toBeUndefined();
    });
  },
);
