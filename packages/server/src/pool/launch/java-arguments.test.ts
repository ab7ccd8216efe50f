import { describe, expect, test } from 'vitest';
import { jniLibrary } from '../../runtimes/java-client.ts';
import type { Interpreter } from '../../runtimes/runtime-catalog.ts';
import type { GuestPaths } from '../../sandbox/sandbox.ts';
import {
  archivingArguments,
  canArchiveClasses,
  javaArguments,
  type JavaSystem,
  localeVariables,
  maxHeapKb,
} from './java-arguments.ts';
import { testVersion } from '../pool-fixture.ts';

const PATHS: GuestPaths = {
  task: '/var/task',
  runtime: '/var/runtime',
  language: '/var/lang',
  opt: '/opt',
  tmp: '/tmp',
  cache: '/cache',
};

function java(version: string): Interpreter {
  return { family: 'java', version, prefix: '/jdk', program: 'bin/java', origin: 'PATH' };
}

function argumentsOf(
  version: string,
  runtime: string,
  environment: Record<string, string> = {},
  system: JavaSystem = { archive: 'archives/a.jsa', locale: undefined },
): string[] {
  const fn = testVersion({ runtime, memoryMb: 512, handler: 'a.B::c', environment });
  return javaArguments(java(version), fn, PATHS, system);
}

const ARCHIVE_FLAG = '-XX:SharedArchiveFile=/var/runtime/archives/a.jsa';

describe('how Java is started', () => {
  test("with AWS's flags, its client alone on the class path, and the handler at the end", () => {
    expect(argumentsOf('21.0.1', 'java21')).toEqual([
      '-XX:MaxHeapSize=445645k',
      ARCHIVE_FLAG,
      '-Xshare:auto',
      '-Xlog:cds=off',
      '-Xlog:cds+dynamic=off',
      '-XX:+TieredCompilation',
      '-XX:TieredStopAtLevel=1',
      '-XX:+UseSerialGC',
      '--add-opens=java.base/java.io=ALL-UNNAMED',
      '-XX:+ErrorFileToStderr',
      '-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac',
      `-Dcom.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI=/var/runtime/${jniLibrary()}`,
      '-classpath',
      '/var/runtime/lib/aws-lambda-java-core-1.4.0.jar:/var/runtime/lib/aws-lambda-java-runtime-interface-client-2.9.0.jar:/var/runtime/lib/aws-lambda-java-serialization-1.2.0.jar:/var/runtime/lib/utils-lite-2.34.0.jar',
      'com.amazonaws.services.lambda.runtime.api.client.AWSLambda',
      'a.B::c',
    ]);
  });

  test.each([
    [128, 111_411],
    [512, 445_645],
    [1_769, 1_565_696],
    [3_008, 2_834_432],
    [10_240, 10_240_000],
  ])('the heap of %d MB is what classes and compiled code leave', (memoryMb, heapKb) => {
    expect(maxHeapKb(memoryMb)).toBe(heapKb);
  });

  test.each([
    ['8.0.402', 'java8.al2', []],
    ['11.0.2', 'java11', ['--add-opens=java.base/java.io=ALL-UNNAMED']],
    [
      '25.0.1',
      'java25',
      [
        '--add-opens=java.base/java.io=ALL-UNNAMED',
        '--enable-native-access=ALL-UNNAMED',
        '-XX:+ErrorFileToStderr',
      ],
    ],
  ])('Java %s is given no flag that it does not know', (version, runtime, expected) => {
    const all = ['--add-opens', '--enable-native', '-XX:+ErrorFile'];
    const given = argumentsOf(version, runtime).filter((flag) =>
      all.some((start) => flag.startsWith(start)),
    );
    expect(given).toEqual(expected);
  });

  test('runtimes before java17 have the compilers as they are, whatever Java runs them', () => {
    expect(argumentsOf('25.0.1', 'java11').join(' ')).not.toContain('Tiered');
    expect(argumentsOf('25.0.1', 'java17').join(' ')).toContain('TieredStopAtLevel=1');
  });

  test('without an archive nothing is said of archives', () => {
    const flags = argumentsOf('21.0.1', 'java21', {}, { archive: undefined, locale: undefined });
    expect(flags.join(' ')).not.toMatch(/Share|cds/);
  });

  test.each([
    ['-XX:SharedArchiveFile=/opt/own.jsa'],
    ['-Xshare:off'],
    ['-Xmx64m -XX:AOTCache=/opt/a'],
  ])("the function's own choice of an archive stays: %s", (options) => {
    expect(argumentsOf('21.0.1', 'java21', { JAVA_TOOL_OPTIONS: options })).not.toContain(
      ARCHIVE_FLAG,
    );
    expect(argumentsOf('21.0.1', 'java21', { JDK_JAVA_OPTIONS: options })).not.toContain(
      ARCHIVE_FLAG,
    );
  });

  test("where the system lacks AWS's locale another one gives the encoding, flags the rest", () => {
    const fn = testVersion({ runtime: 'java21' });
    expect(localeVariables(fn, 'C.UTF-8')).toEqual({ LC_ALL: 'C.UTF-8' });
    expect(localeVariables(fn, undefined)).toEqual({});
    const system: JavaSystem = { archive: undefined, locale: 'C.UTF-8' };
    expect(argumentsOf('21.0.1', 'java21', {}, system)).toEqual(
      expect.arrayContaining(['-Duser.language=en', '-Duser.country=US']),
    );
  });

  test.each([{ LANG: 'C' }, { LC_ALL: 'de_DE' }, { JAVA_TOOL_OPTIONS: '-Duser.language=de' }])(
    "the function's own choice of a locale stays: %j",
    (environment) => {
      const system: JavaSystem = { archive: undefined, locale: 'C.UTF-8' };
      const fn = testVersion({ environment });
      expect(localeVariables(fn, 'C.UTF-8')).toEqual({});
      expect(argumentsOf('21.0.1', 'java21', environment, system).join(' ')).not.toContain('user.');
    },
  );
});

describe('how an archive of classes is made', () => {
  test('with the flags that it depends on, running code of Java and its client only', () => {
    const archiving = archivingArguments(java('25.0.1'), PATHS, '/tmp/a.jsa');
    const serving = argumentsOf('25.0.1', 'java25');
    expect(archiving[0]).toBe('-XX:ArchiveClassesAtExit=/tmp/a.jsa');
    expect(archiving.at(-1)).toBe('java.util.concurrent.atomic.AtomicReference::getAndSet');
    expect(serving).toEqual(expect.arrayContaining(archiving.slice(1, -1)));
  });

  test.each([
    ['8.0.402', false],
    ['11.0.2', false],
    ['13.0.0', true],
    ['25.0.1', true],
  ])('Java %s: %s', (version, expected) => {
    expect(canArchiveClasses(java(version))).toBe(expected);
  });
});
