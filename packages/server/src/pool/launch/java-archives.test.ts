import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { JAVA_CLIENT_JARS, javaClientDirectory } from '../../runtimes/java-client.ts';
import type { Interpreter } from '../../runtimes/runtime-catalog.ts';
import { JavaArchives, type JavaArchivesOptions } from './java-archives.ts';
import { testVersion } from '../pool-fixture.ts';

const JAVA_21 = testVersion({ runtime: 'java21' });

let dataDir = '';
let client = '';
let faults: unknown[] = [];
beforeEach(() => {
  dataDir = mkdtempSync(join(tmpdir(), 'hearth-archives-'));
  client = javaClientDirectory(dataDir);
  faults = [];
  for (const jar of JAVA_CLIENT_JARS) put(join(client, jar), 'jar');
});
afterEach(() => rmSync(dataDir, { recursive: true }));

function put(path: string, content: string): void {
  mkdirSync(join(path, '..'), { recursive: true });
  writeFileSync(path, content);
}

function java(version = '21.0.3', folder = 'jdk'): Interpreter {
  const prefix = join(dataDir, folder);
  put(join(prefix, 'bin/java'), version);
  put(join(prefix, 'release'), `JAVA_RUNTIME_VERSION=${version}`);
  return { family: 'java', version, prefix, program: 'bin/java', origin: 'PATH' };
}

/** Over a machine with that one Java; `made` has what was made, in order. */
function archives(
  interpreter: Interpreter,
  over: Partial<JavaArchivesOptions> = {},
): { archives: JavaArchives; made: string[] } {
  const made: string[] = [];
  const own = new JavaArchives({
    dataDir,
    catalog: {
      resolve: () => Promise.resolve({ interpreter, exact: true }),
      list: () => Promise.resolve([interpreter]),
    },
    driverName: 'fake',
    make: ({ interpreter: of }) => {
      made.push(of.version);
      return Promise.resolve(Buffer.from(`classes of ${of.version}`));
    },
    onFault: (error) => void faults.push(error),
    ...over,
  });
  return { archives: own, made };
}

const stored = (): string[] => readdirSync(join(client, 'archives'));

describe('archives of classes', () => {
  test('one is made when the first function is deployed, and shown from then on', async () => {
    const interpreter = java();
    const { archives: own, made } = archives(interpreter);
    await Promise.all([own.prepare(JAVA_21), own.prepare(testVersion({ runtime: 'java17' }))]);
    expect(made).toEqual(['21.0.3']);
    const { path, archive = '' } = (await own.folder(interpreter)) ?? { path: '' };
    expect(path).toBe(client);
    expect(archive).toMatch(/^archives\/java21-[0-9a-f]{32}\.jsa$/);
    expect(readFileSync(join(path, archive), 'utf8')).toBe('classes of 21.0.3');
    expect(statSync(join(path, archive)).mode & 0o777).toBe(0o644);
    expect(statSync(join(path, 'archives')).mode & 0o777).toBe(0o755);
    expect(stored()).toHaveLength(1);
  });

  test('a later server finds what an earlier one made', async () => {
    const interpreter = java();
    await archives(interpreter).archives.prepare(JAVA_21);
    const later = archives(interpreter);
    await later.archives.prepare(JAVA_21);
    expect(later.made).toEqual([]);
    expect((await later.archives.folder(interpreter))?.archive).toBe(`archives/${stored()[0]}`);
  });

  test('a start never waits for one: until it is there the function starts without', async () => {
    const interpreter = java();
    const making = Promise.withResolvers<Buffer>();
    const { archives: own } = archives(interpreter, { make: () => making.promise });
    expect(await own.folder(interpreter)).toEqual({ path: client });
    making.resolve(Buffer.from('x'));
    await own.prepare(JAVA_21);
    expect((await own.folder(interpreter))?.archive).toBeDefined();
  });

  test.each([
    ['the build of Java', () => put(join(dataDir, 'jdk/release'), 'JAVA_RUNTIME_VERSION=other')],
    ["Java's library", () => put(join(dataDir, 'jdk/lib/server/libjvm.so'), 'other')],
    ['a jar of the client', () => put(join(client, JAVA_CLIENT_JARS[0] ?? ''), 'longer jar')],
  ])('another one takes its place when %s has changed', async (_what, change) => {
    const interpreter = java();
    await archives(interpreter).archives.prepare(JAVA_21);
    const [before] = stored();
    change();
    const { archives: own, made } = archives(interpreter);
    await own.prepare(JAVA_21);
    expect(made).toHaveLength(1);
    expect(stored()).toHaveLength(1);
    expect(stored()[0]).not.toBe(before);
  });

  test('other sandbox drivers, where paths differ, have their own', async () => {
    const interpreter = java();
    await archives(interpreter).archives.prepare(JAVA_21);
    const { archives: own, made } = archives(interpreter, { driverName: 'other' });
    await own.prepare(JAVA_21);
    expect(made).toHaveLength(1);
  });

  test('where none can be made it is told once, and functions start without', async () => {
    const interpreter = java();
    const { archives: own } = archives(interpreter, {
      make: () => Promise.reject(new Error('no space')),
    });
    await own.prepare(JAVA_21);
    await own.prepare(JAVA_21);
    expect(await own.folder(interpreter)).toEqual({ path: client });
    expect(faults).toEqual([
      expect.objectContaining({
        message: expect.stringContaining('Cannot archive the classes of Java 21.0.3'),
        cause: new Error('no space'),
      }),
    ]);
    expect(stored()).toEqual([]);
  });

  test('a Java too old for archives has none, and other languages need none', async () => {
    const old = archives(java('11.0.2'));
    await old.archives.prepare(testVersion({ runtime: 'java11' }));
    await old.archives.prepare(testVersion({ runtime: 'nodejs24.x' }));
    expect(old.made).toEqual([]);
    expect(faults).toEqual([]);
  });

  test('without the client there is no folder', async () => {
    const interpreter = java();
    rmSync(client, { recursive: true });
    const { archives: own, made } = archives(interpreter);
    await own.prepare(JAVA_21);
    expect(await own.folder(interpreter)).toBeUndefined();
    expect(made).toEqual([]);
  });

  test('what is being made is given up when the server ends', async () => {
    const interpreter = java();
    const begun = Promise.withResolvers<void>();
    const { archives: own } = archives(interpreter, {
      make: ({ signal }) =>
        new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(new Error('aborted')));
          begun.resolve();
        }),
    });
    const prepared = own.prepare(JAVA_21);
    await begun.promise;
    await own[Symbol.asyncDispose]();
    await prepared;
    expect(faults).toEqual([]);
  });

  test('none is begun after the end of the server', async () => {
    const interpreter = java();
    const { archives: own, made } = archives(interpreter);
    const ended = own[Symbol.asyncDispose]();
    await own.prepare(JAVA_21);
    await ended;
    expect([made, faults]).toEqual([[], []]);
  });
});
