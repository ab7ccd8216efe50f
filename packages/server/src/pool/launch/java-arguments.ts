import type { FunctionVersion } from '../../domain/function.ts';
import { MANAGED_RUNTIMES } from '../../domain/runtimes.ts';
import { JAVA_CLIENT_JARS, JAVA_CLIENT_MAIN, jniLibrary } from '../../runtimes/java-client.ts';
import type { Interpreter } from '../../runtimes/runtime-catalog.ts';
import type { ReplacedLocale } from '../../runtimes/system-locale.ts';
import type { GuestPaths } from '../../sandbox/sandbox.ts';

/** What of the machine the command line depends on. */
export interface JavaSystem {
  /** An archive of classes, relative to the client's folder. */
  readonly archive: string | undefined;
  readonly locale: ReplacedLocale;
}

/**
 * What follows `bin/java`: the flags that AWS Lambda gives it (recorded there), AWS's client on the
 * class path and nothing else. Code of the function is found by the client's own class loader, in
 * `/var/task`, `/var/task/lib` and `/opt/java/lib`: on the class path it would be loaded twice.
 */
export function javaArguments(
  { version: javaVersion }: Interpreter,
  version: FunctionVersion,
  paths: GuestPaths,
  { archive, locale }: JavaSystem,
): string[] {
  const usesArchive = archive !== undefined && !choosesArchive(version);
  return [
    `-XX:MaxHeapSize=${maxHeapKb(version.memoryMb)}k`,
    ...(usesArchive ? archiveFlags(`${paths.runtime}/${archive}`) : []),
    ...compilerFlags(version.runtime),
    ...(locale === undefined || choosesLocale(version) ? [] : LOCALE_FLAGS),
    ...clientArguments(majorOf(javaVersion), paths),
    version.handler,
  ];
}

/** First Java that archives classes which a program has loaded by the time it exits. */
const FIRST_WITH_ARCHIVES = 13;

export function canArchiveClasses({ version }: Interpreter): boolean {
  return majorOf(version) >= FIRST_WITH_ARCHIVES;
}

/**
 * The command line that leaves an archive of the client's classes, and of those of Java that it
 * uses, at `archive` when it is asked to end. It runs nobody's code: the handler is a method of Java
 * itself, which takes any event and returns the one before it.
 */
export function archivingArguments(
  { version }: Interpreter,
  paths: GuestPaths,
  archive: string,
): string[] {
  return [
    `-XX:ArchiveClassesAtExit=${archive}`,
    ...clientArguments(majorOf(version), paths),
    'java.util.concurrent.atomic.AtomicReference::getAndSet',
  ];
}

function majorOf(javaVersion: string): number {
  return Number(javaVersion.split('.')[0]);
}

/**
 * What is left of the memory when AWS's shares for classes (a tenth, at most 160 MB) and compiled
 * code (a twentieth, at most 80 MB) are taken: `445645k` of 512 MB, `2834432k` of 3,008 MB.
 */
export function maxHeapKb(memoryMb: number): number {
  const memoryKb = memoryMb * 1_024;
  const classesKb = Math.min(Math.round(memoryKb * 0.1), 163_840);
  const codeKb = Math.min(Math.round(memoryKb * 0.05), 81_920);
  return memoryKb - classesKb - codeKb;
}

function archiveFlags(path: string): string[] {
  return [
    `-XX:SharedArchiveFile=${path}`,
    // One that does not fit is not used; of that the function's log should hold nothing.
    '-Xshare:auto',
    '-Xlog:cds=off',
    '-Xlog:cds+dynamic=off',
  ];
}

function compilerFlags(runtime: string): string[] {
  const isFastToStart = Number(MANAGED_RUNTIMES.get(runtime)?.languageVersion) >= FIRST_WITH_C1;
  return isFastToStart ? ['-XX:+TieredCompilation', '-XX:TieredStopAtLevel=1'] : [];
}

/** AWS's older Java runtimes leave the compilers as they are. */
const FIRST_WITH_C1 = 17;

/** What an archive of classes depends on: with other flags it would not be used. */
function clientArguments(major: number, { runtime }: GuestPaths): string[] {
  return [
    '-XX:+UseSerialGC',
    // The client opens the descriptor of the log by reflection.
    ...(major >= 9 ? ['--add-opens=java.base/java.io=ALL-UNNAMED'] : []),
    // The client loads a native library; since Java 24 that is warned about.
    ...(major >= 22 ? ['--enable-native-access=ALL-UNNAMED'] : []),
    ...(major >= 13 ? ['-XX:+ErrorFileToStderr'] : []),
    '-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac',
    // Otherwise the client unpacks it to /tmp, at each start.
    `-Dcom.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI=${runtime}/${jniLibrary()}`,
    '-classpath',
    JAVA_CLIENT_JARS.map((path) => `${runtime}/${path}`).join(':'),
    JAVA_CLIENT_MAIN,
  ];
}

/** What the locale of AWS's systems says besides the encoding. */
const LOCALE_FLAGS = ['-Duser.language=en', '-Duser.country=US'];

/** Variables with which Java uses UTF-8, as on AWS, for the environment as well. */
export function localeVariables(
  version: FunctionVersion,
  locale: ReplacedLocale,
): Record<string, string> {
  return locale === undefined || choosesLocale(version) ? {} : { LC_ALL: locale };
}

function choosesLocale({ environment }: FunctionVersion): boolean {
  return (
    Object.keys(environment).some((name) => /^(LANG$|LC_)/.test(name)) ||
    optionsOf(environment).includes('-Duser.')
  );
}

/** True where the function's own options name an archive, or forbid one: they come first, ours last. */
function choosesArchive({ environment }: FunctionVersion): boolean {
  const pattern = /-Xshare|SharedArchiveFile|AOTCache|AOTMode|ArchiveClassesAtExit/;
  return pattern.test(optionsOf(environment));
}

function optionsOf(environment: FunctionVersion['environment']): string {
  return `${environment['JAVA_TOOL_OPTIONS'] ?? ''} ${environment['JDK_JAVA_OPTIONS'] ?? ''}`;
}
