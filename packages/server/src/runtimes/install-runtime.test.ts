import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InstallError } from './install-error.ts';
import type { InstalledRuntime } from './install-request.ts';
import { installRuntime } from './install-runtime.ts';
import { LocalRuntimeCatalog } from './local-runtime-catalog.ts';

const ownVersion = process.versions.node;
const ownRuntime = `nodejs${ownVersion.split('.')[0]}.x`;

let root = '';
let dataDir = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-install-')));
  dataDir = join(root, 'data');
  mkdirSync(join(root, 'bin'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Puts a stand-in for npm or uv on the PATH. */
function program(name: string, shellScript: string): void {
  writeFileSync(join(root, 'bin', name), `#!/bin/sh\n${shellScript}\n`, { mode: 0o755 });
}

/** An npm that puts this test's own Node.js (or `file`) where the real one puts the package's. */
function npmThatInstalls(file = process.execPath): void {
  program(
    'npm',
    `printf '%s ' "$@" > '${root}/npm-arguments'
     package="node_modules/\${2%@*}/bin"
     mkdir -p "$package" && { ln '${file}' "$package/node" 2>/dev/null || cp '${file}' "$package/node"; }`,
  );
}

function install(
  runtime: string,
  signal: AbortSignal = new AbortController().signal,
): Promise<InstalledRuntime> {
  const environment = { PATH: `${join(root, 'bin')}:/usr/bin:/bin` };
  return installRuntime(runtime, { dataDir, environment, signal });
}

function installedFolders(): string[] {
  return existsSync(join(dataDir, 'runtimes')) ? readdirSync(join(dataDir, 'runtimes')) : [];
}

describe('installing Node.js', () => {
  test('puts the interpreter where the catalogue finds it', async () => {
    npmThatInstalls();
    const installed = await install(ownRuntime);
    expect(installed).toMatchObject({ runtime: ownRuntime, version: ownVersion });
    expect(execFileSync(installed.path, ['--version'], { encoding: 'utf8' })).toContain(ownVersion);
    const environment = { PATH: '' };
    const catalog = new LocalRuntimeCatalog({
      dataDir,
      strict: true,
      environment,
      execPath: '/none',
    });
    const choice = await catalog.resolve(ownRuntime);
    expect(choice).toMatchObject({ exact: true, interpreter: { origin: 'installed' } });
  });

  test('asks npm for the major version and forbids scripts', async () => {
    npmThatInstalls();
    await install(ownRuntime);
    const asked = execFileSync('cat', [join(root, 'npm-arguments')], { encoding: 'utf8' });
    expect(asked).toContain(`@${ownVersion.split('.')[0]} `);
    expect(asked).toContain('--ignore-scripts');
  });

  test('leaves a folder that other users can read, and no other', async () => {
    npmThatInstalls();
    await install(ownRuntime);
    await install(ownRuntime);
    expect(installedFolders()).toEqual([ownRuntime]);
    expect(statSync(join(dataDir, 'runtimes', ownRuntime)).mode & 0o777).toBe(0o755);
  });

  test('a download that does not run replaces nothing', async () => {
    npmThatInstalls();
    const { path } = await install(ownRuntime);
    npmThatInstalls('/bin/true');
    await expect(install(ownRuntime)).rejects.toThrow('does not run here');
    expect(execFileSync(path, ['--version'], { encoding: 'utf8' })).toContain(ownVersion);
    expect(installedFolders()).toEqual([ownRuntime]);
  });

  test('a failure of npm is told in one line', async () => {
    program(
      'npm',
      `printf 'npm warn x\\nnpm error code ETARGET\\nnpm error notarget No matching version.\\nnpm error A complete log\\n' >&2; exit 1`,
    );
    const failure = install(ownRuntime);
    await expect(failure).rejects.toThrow(InstallError);
    await expect(failure).rejects.toThrow(/could not install .*: notarget No matching version\.$/);
    expect(installedFolders()).toEqual([]);
  });

  test('an abort ends npm and leaves nothing behind', async () => {
    const controller = new AbortController();
    program('npm', 'exec sleep 60');
    const failure = install(ownRuntime, controller.signal);
    controller.abort();
    await expect(failure).rejects.toThrow('abort');
    expect(installedFolders()).toEqual([]);
  });
});

describe('installing Python', () => {
  test('a failure of uv is told in one line, and leaves no folder', async () => {
    program('uv', `echo "$@ $UV_PYTHON_INSTALL_BIN" >&2; echo "error: no download" >&2; exit 2`);
    await expect(install('python3.12')).rejects.toThrow(
      'Cannot install python3.12 as uv could not install Python 3.12: error: no download',
    );
    expect(installedFolders()).toEqual([]);
  });

  test('an uv that installs nothing is no success', async () => {
    program('uv', 'exit 0');
    await expect(install('python3.12')).rejects.toThrow('put no Python that runs');
  });

  test('without uv the message says what is wanted', async () => {
    const failure = installRuntime('python3.12', {
      dataDir,
      environment: { PATH: join(root, 'bin') },
      signal: new AbortController().signal,
    });
    await expect(failure).rejects.toThrow(/uv is not on the PATH: install uv .* python3\.12/);
  });
});

test('a runtime that does not exist is refused', async () => {
  await expect(install('ruby3.3')).rejects.toThrow(/must be one of nodejs18\.x, .*"ruby3\.3"$/);
});
