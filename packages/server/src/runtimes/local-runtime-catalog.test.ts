import { execFileSync, spawnSync } from 'node:child_process';
import {
  existsSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
  copyFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LocalRuntimeCatalogOptions } from './local-runtime-catalog.ts';
import { LocalRuntimeCatalog } from './local-runtime-catalog.ts';

let root = '';
beforeEach(() => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-runtimes-')));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** A catalogue of a machine on which there is nothing but what the test puts into `root`. */
function catalog(options: Partial<LocalRuntimeCatalogOptions> = {}): LocalRuntimeCatalog {
  return new LocalRuntimeCatalog({
    dataDir: join(root, 'data'),
    strict: false,
    environment: { PATH: join(root, 'path/bin') },
    homeDirectory: join(root, 'home'),
    execPath: '/nonexistent/node',
    systemRoot: join(root, 'system'),
    ...options,
  });
}

/** A program that is no script, for tests that answer in its place. */
function binary(path: string): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, '\u007fELF', { mode: 0o755 });
  return full;
}

function script(path: string, content: string): void {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  writeFileSync(full, content, { mode: 0o755 });
}

/** This test's own Node.js at another path, as a file of its own. */
function ownNode(path: string): string {
  const full = join(root, path);
  mkdirSync(dirname(full), { recursive: true });
  try {
    linkSync(process.execPath, full);
  } catch {
    copyFileSync(process.execPath, full);
  }
  return full;
}

/** Answers with the version that the path holds, `…/22.1.0/bin/node`, and counts the questions. */
function answersFromPath(): {
  asked: string[];
  probe: NonNullable<LocalRuntimeCatalogOptions['probe']>;
} {
  const asked: string[] = [];
  return {
    asked,
    probe: (_family, path) => {
      asked.push(path);
      const version = /\d+\.\d+\.\d+/.exec(path)?.[0];
      return Promise.resolve(version === undefined ? {} : { version });
    },
  };
}

describe('discovery with real interpreters', () => {
  const version = process.versions.node;

  test('finds a Node.js on the PATH by its real path', async () => {
    ownNode('opt/bin/node');
    mkdirSync(join(root, 'path/bin'), { recursive: true });
    symlinkSync('../../opt/bin/node', join(root, 'path/bin/node'));
    expect(await catalog().list()).toEqual([
      { family: 'nodejs', version, prefix: join(root, 'opt'), program: 'bin/node', origin: 'PATH' },
    ]);
  });

  test('finds every one on the PATH, not only the first', async () => {
    ownNode('a/bin/node');
    ownNode('b/bin/node24');
    const environment = { PATH: `${join(root, 'a/bin')}:relative:${join(root, 'b/bin')}` };
    const found = await catalog({ environment }).list();
    expect(found.map(({ prefix }) => prefix)).toEqual([join(root, 'a'), join(root, 'b')]);
  });

  test('a found interpreter runs when its prefix is reached by another path', async () => {
    ownNode('path/bin/node');
    const [found] = await catalog().list();
    symlinkSync(found?.prefix ?? '', join(root, 'elsewhere'));
    const program = join(root, 'elsewhere', found?.program ?? '');
    expect(execFileSync(program, ['--version'], { encoding: 'utf8' })).toBe(`v${version}\n`);
  });

  test('falls back on the Node.js that runs the server', async () => {
    const choice = await catalog({ execPath: process.execPath }).resolve('nodejs24.x');
    expect(choice?.interpreter).toMatchObject({ version, origin: 'this process' });
  });

  test.skipIf(!existsSync('/usr/bin/python3'))(
    "finds the system's Python, whose prefix is /usr",
    async () => {
      const [found] = await catalog({ environment: { PATH: '/usr/bin' } })
        .list()
        .then((all) => all.filter(({ family }) => family === 'python'));
      expect(found).toMatchObject({ family: 'python', prefix: '/usr', origin: 'PATH' });
      const said = execFileSync(join('/usr', found?.program ?? ''), ['--version'], {
        encoding: 'utf8',
      });
      expect(said.trim()).toBe(`Python ${found?.version}`);
    },
  );

  test.skipIf(!existsSync('/usr/lib/jvm'))(
    "finds the system's Java, and that it runs under another path",
    async () => {
      const all = await catalog({ systemRoot: '/' }).list();
      const found = all.find(({ family }) => family === 'java');
      expect(found).toMatchObject({ family: 'java', program: 'bin/java', origin: 'system' });
      symlinkSync(found?.prefix ?? '', join(root, 'lang'));
      const { stderr } = spawnSync(join(root, 'lang/bin/java'), ['-version'], { encoding: 'utf8' });
      expect(stderr).toContain(found?.version.split('.')[0]);
    },
  );

  test('skips shims and wrappers, whatever they answer', async () => {
    script('path/bin/node', `#!/bin/sh\nexec ${process.execPath} "$@"\n`);
    script('path/bin/python3', '#!/usr/bin/env bash\nexec pyenv exec python3 "$@"\n');
    expect(await catalog().list()).toEqual([]);
  });

  test('skips programs that are no interpreters', async () => {
    mkdirSync(join(root, 'path/bin'), { recursive: true });
    copyFileSync('/bin/true', join(root, 'path/bin/node'));
    copyFileSync('/bin/false', join(root, 'path/bin/python3'));
    binary('path/bin/python');
    mkdirSync(join(root, 'path/bin/nodejs'));
    symlinkSync('missing', join(root, 'path/bin/node22'));
    expect(await catalog().list()).toEqual([]);
  });

  test('skips a prefix that holds the home folder or the data folder', async () => {
    ownNode('bin/node');
    ownNode('home/.local/bin/node');
    const environment = { PATH: `${join(root, 'bin')}:${join(root, 'home/.local/bin')}` };
    expect(await catalog({ environment }).list()).toEqual([]);
  });
});

describe('discovery in the places of version managers', () => {
  test.each([
    ['nvm', 'home/.nvm/versions/node/v22.1.0/bin/node'],
    ['volta', 'home/.volta/tools/image/node/22.1.0/bin/node'],
    ['fnm', 'home/.local/share/fnm/node-versions/v22.1.0/installation/bin/node'],
    ['asdf', 'home/.asdf/installs/nodejs/22.1.0/bin/node'],
    ['mise', 'home/.local/share/mise/installs/node/22.1.0/bin/node'],
    ['pyenv', 'home/.pyenv/versions/3.12.1/bin/python3.12'],
    ['uv', 'home/.local/share/uv/python/cpython-3.12.1-linux/bin/python3.12'],
    ['system', 'system/usr/lib/jvm/java-17.0.15-openjdk/bin/java'],
    ['sdkman', 'home/.sdkman/candidates/java/21.0.3-tem/bin/java'],
    ['jdks', 'home/.jdks/corretto-17.0.1/bin/java'],
    ['installed', 'data/runtimes/nodejs22.x/node_modules/node-22.1.0/bin/node'],
    ['installed', 'data/runtimes/python3.12/cpython-3.12.1/bin/python3.12'],
  ])('%s', async (origin, path) => {
    const program = binary(path);
    const found = await catalog(answersFromPath()).list();
    expect(found).toHaveLength(1);
    expect(found[0]).toMatchObject({ origin });
    expect(join(found[0]?.prefix ?? '', found[0]?.program ?? '')).toBe(program);
  });

  test('folders named by the environment are looked at', async () => {
    binary('elsewhere/versions/3.12.1/bin/python3');
    const environment = { PYENV_ROOT: join(root, 'elsewhere') };
    expect(await catalog({ environment, ...answersFromPath() }).list()).toHaveLength(1);
  });

  test('JAVA_HOME and its like are looked at first', async () => {
    binary('a/17.0.1/bin/java');
    binary('b/21.0.1/bin/java');
    binary('system/usr/lib/jvm/java-11.0.2/bin/java');
    const environment = {
      JAVA_HOME_21_X64: join(root, 'b/21.0.1'),
      JAVA_HOME: join(root, 'a/17.0.1'),
      JDK_HOME: 'relative',
    };
    const found = await catalog({ environment, ...answersFromPath() }).list();
    expect(found.map(({ origin, version }) => `${origin} ${version}`)).toEqual([
      'JAVA_HOME 17.0.1',
      'JAVA_HOME_21_X64 21.0.1',
      'system 11.0.2',
    ]);
  });

  test('interpreters older than the oldest managed runtime are left out', async () => {
    binary('home/.pyenv/versions/3.8.18/bin/python3.8');
    binary('home/.nvm/versions/node/v16.1.0/bin/node');
    expect(await catalog(answersFromPath()).list()).toEqual([]);
  });

  test('one program under several names is one interpreter', async () => {
    binary('home/.pyenv/versions/3.12.1/bin/python3.12');
    symlinkSync('python3.12', join(root, 'home/.pyenv/versions/3.12.1/bin/python3'));
    symlinkSync('3.12.1', join(root, 'home/.pyenv/versions/3.12'));
    expect(await catalog(answersFromPath()).list()).toHaveLength(1);
  });
});

describe('resolve', () => {
  test('prefers the own version and says so', async () => {
    binary('home/.nvm/versions/node/v22.1.0/bin/node');
    binary('home/.nvm/versions/node/v24.1.0/bin/node');
    const machine = catalog(answersFromPath());
    expect(await machine.resolve('nodejs22.x')).toMatchObject({
      interpreter: { version: '22.1.0' },
      exact: true,
    });
    expect(await machine.resolve('nodejs26.x')).toMatchObject({
      interpreter: { version: '24.1.0' },
      exact: false,
    });
    expect(await machine.resolve('python3.12')).toBeUndefined();
  });

  test('strict refuses the nearest', async () => {
    binary('home/.nvm/versions/node/v22.1.0/bin/node');
    const machine = catalog({ strict: true, ...answersFromPath() });
    expect(await machine.resolve('nodejs24.x')).toBeUndefined();
    expect((await machine.resolve('nodejs22.x'))?.exact).toBe(true);
  });
});

describe('what is remembered', () => {
  test('concurrent calls ask each program once', async () => {
    binary('home/.nvm/versions/node/v22.1.0/bin/node');
    const { asked, probe } = answersFromPath();
    const machine = catalog({ probe });
    await Promise.all([machine.list(), machine.resolve('nodejs22.x'), machine.list()]);
    expect(asked).toHaveLength(1);
  });

  test('a second start asks nothing, also about what is no interpreter', async () => {
    binary('home/.nvm/versions/node/v22.1.0/bin/node');
    binary('path/bin/python3');
    const first = answersFromPath();
    const found = await catalog({ ...first }).list();
    expect(first.asked).toHaveLength(2);
    const second = answersFromPath();
    expect(await catalog({ ...second }).list()).toEqual(found);
    expect(second.asked).toEqual([]);
  });

  test('a program that changed is asked again', async () => {
    const program = binary('home/.nvm/versions/node/v22.1.0/bin/node');
    await catalog(answersFromPath()).list();
    utimesSync(program, 1, 1);
    const { asked, probe } = answersFromPath();
    await catalog({ probe }).list();
    expect(asked).toEqual([program]);
  });

  test('no answer in time is not remembered', async () => {
    binary('home/.nvm/versions/node/v22.1.0/bin/node');
    expect(await catalog({ probe: () => Promise.resolve(undefined) }).list()).toEqual([]);
    expect(await catalog(answersFromPath()).list()).toHaveLength(1);
  });

  test('a damaged cache is an empty one', async () => {
    binary('home/.nvm/versions/node/v22.1.0/bin/node');
    for (const content of ['{', 'null', '{"format":1,"answers":3}', '{"format":0,"answers":{}}']) {
      script('data/cache/interpreters.json', content);
      expect(await catalog(answersFromPath()).list()).toHaveLength(1);
    }
  });

  test('a runtime that is installed later is found without a restart', async () => {
    binary('home/.nvm/versions/node/v24.1.0/bin/node');
    const machine = catalog(answersFromPath());
    expect((await machine.resolve('nodejs22.x'))?.exact).toBe(false);
    binary('data/runtimes/nodejs22.x/node_modules/node-22.1.0/bin/node');
    expect((await machine.resolve('nodejs22.x'))?.exact).toBe(true);
  });
});
