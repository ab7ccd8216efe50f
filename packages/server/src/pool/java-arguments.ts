import type { FunctionVersion } from '../domain/function.ts';
import { MANAGED_RUNTIMES } from '../domain/runtimes.ts';
import { JAVA_CLIENT_JARS, JAVA_CLIENT_MAIN, jniLibrary } from '../runtimes/java-client.ts';
import type { Interpreter } from '../runtimes/runtime-catalog.ts';
import type { GuestPaths } from '../sandbox/sandbox.ts';

/** Of an archive of classes in the runtime's folder. */
export const CLASS_ARCHIVE = 'lib/hearth.jsa';

/**
 * What follows `bin/java`: the flags that AWS Lambda gives it (recorded there), AWS's client on the
 * class path and nothing else. Code of the function is found by the client's own class loader, in
 * `/var/task`, `/var/task/lib` and `/opt/java/lib`: on the class path it would be loaded twice.
 */
export function javaArguments(
  { version: javaVersion }: Interpreter,
  version: FunctionVersion,
  paths: GuestPaths,
  hasArchive: boolean,
): string[] {
  const major = Number(javaVersion.split('.')[0]);
  const usesArchive = hasArchive && !choosesArchive(version);
  return [
    `-XX:MaxHeapSize=${maxHeapKb(version.memoryMb)}k`,
    ...(usesArchive ? archiveFlags(paths) : []),
    ...commonFlags(major, version.runtime),
    ...clientFlags(paths),
    version.handler,
  ];
}

/** Flags that an archive of classes is made with, too: with others it would not be used. */
export function archivedArguments(
  { version }: Interpreter,
  runtime: string,
  paths: GuestPaths,
): string[] {
  const major = Number(version.split('.')[0]);
  return [...commonFlags(major, runtime), ...clientFlags(paths)];
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

function archiveFlags({ runtime }: GuestPaths): string[] {
  return [
    `-XX:SharedArchiveFile=${runtime}/${CLASS_ARCHIVE}`,
    // One that does not fit is not used; of that the function's log should hold nothing.
    '-Xshare:auto',
    '-Xlog:cds=off',
    '-Xlog:cds+dynamic=off',
  ];
}

function commonFlags(major: number, runtime: string): string[] {
  const isFastToStart = Number(MANAGED_RUNTIMES.get(runtime)?.languageVersion) >= FIRST_WITH_C1;
  return [
    '-XX:+UseSerialGC',
    ...(isFastToStart ? ['-XX:+TieredCompilation', '-XX:TieredStopAtLevel=1'] : []),
    // The client opens the descriptor of the log by reflection.
    ...(major >= 9 ? ['--add-opens=java.base/java.io=ALL-UNNAMED'] : []),
    // The client loads a native library; since Java 24 that is warned about.
    ...(major >= 22 ? ['--enable-native-access=ALL-UNNAMED'] : []),
    ...(major >= 13 ? ['-XX:+ErrorFileToStderr'] : []),
  ];
}

/** AWS's older Java runtimes leave the compilers as they are. */
const FIRST_WITH_C1 = 17;

function clientFlags({ runtime }: GuestPaths): string[] {
  return [
    '-Dorg.crac.Core.Compat=com.amazonaws.services.lambda.crac',
    // Otherwise the client unpacks it to /tmp, at each start.
    `-Dcom.amazonaws.services.lambda.runtime.api.client.runtimeapi.NativeClient.JNI=${runtime}/${jniLibrary()}`,
    '-classpath',
    JAVA_CLIENT_JARS.map((path) => `${runtime}/${path}`).join(':'),
    JAVA_CLIENT_MAIN,
  ];
}

/** True where the function's own options name an archive, or forbid one: they come first, ours last. */
function choosesArchive({ environment }: FunctionVersion): boolean {
  const options = `${environment['JAVA_TOOL_OPTIONS'] ?? ''} ${environment['JDK_JAVA_OPTIONS'] ?? ''}`;
  return /-Xshare|SharedArchiveFile|AOTCache|AOTMode|ArchiveClassesAtExit/.test(options);
}
