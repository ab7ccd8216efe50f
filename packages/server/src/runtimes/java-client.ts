import { existsSync } from 'node:fs';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { installedRuntimesDirectory } from './interpreter-locations.ts';

/** A file of Maven Central that belongs to the client. */
export interface MavenArtifact {
  readonly groupId: string;
  readonly artifactId: string;
  readonly version: string;
  /** Lower-case hexadecimal. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

const CLIENT_VERSION = '2.9.0';

/**
 * AWS's runtime interface client for Java with what it needs at run time (Jackson, Gson, Joda and
 * org.json are inside aws-lambda-java-serialization). It runs on Java 8 and newer.
 */
export const JAVA_CLIENT: readonly MavenArtifact[] = [
  {
    groupId: 'com.amazonaws',
    artifactId: 'aws-lambda-java-core',
    version: '1.4.0',
    sha256: '575c24393cc1ad645e83e618956eabd89ffe8cc09efae2cb62bc6589154d68ed',
    sizeBytes: 10_623,
  },
  {
    groupId: 'com.amazonaws',
    artifactId: 'aws-lambda-java-runtime-interface-client',
    version: CLIENT_VERSION,
    sha256: '26568a5f63bf9e921567e77661be425650abc8972bae2aa0b7e99bab4e4239d9',
    sizeBytes: 1_614_969,
  },
  {
    groupId: 'com.amazonaws',
    artifactId: 'aws-lambda-java-serialization',
    version: '1.2.0',
    sha256: '1513c1f945a3213f916a4b2de1760c97b51d84d110f82bbbcf9cfac53d5651e7',
    sizeBytes: 3_726_540,
  },
  {
    groupId: 'software.amazon.awssdk',
    artifactId: 'utils-lite',
    version: '2.34.0',
    sha256: 'efaf784f07ae526f0b5c89d71ef21cf16636131c47d44616e3df9bedc3f4f89a',
    sizeBytes: 8_796,
  },
];

export const JAVA_CLIENT_MAIN = 'com.amazonaws.services.lambda.runtime.api.client.AWSLambda';

/** Relative to the client's folder, in the order of the class path; where AWS has them in `/var/runtime`. */
export const JAVA_CLIENT_JARS: readonly string[] = JAVA_CLIENT.map(jarPath);

export function jarPath({ artifactId, version }: MavenArtifact): string {
  return `lib/${artifactId}-${version}.jar`;
}

/** Where the client's native libraries lie: as `jni/<name>` in its archive, as `lib/jni/<name>` on disk. */
export const JNI_NAMES: readonly string[] = ['linux', 'linux_musl'].flatMap((system) =>
  ['x86_64', 'aarch_64'].map((machine) => `libaws-lambda-jni.${system}-${machine}.so`),
);

/** The native library for this machine, relative to the client's folder. */
export function jniLibrary(): string {
  return `lib/jni/${JNI_NAME}`;
}

/** Of the archives of classes that a server makes for it, relative to the client's folder. */
export const ARCHIVES_FOLDER = 'archives';

const IS_ARM = process.arch === 'arm64';
/** True on systems that have the C library of Alpine Linux and no other. */
const IS_MUSL =
  existsSync(`/lib/ld-musl-${IS_ARM ? 'aarch64' : 'x86_64'}.so.1`) &&
  !existsSync(IS_ARM ? '/lib/ld-linux-aarch64.so.1' : '/lib64/ld-linux-x86-64.so.2');
const JNI_NAME = `libaws-lambda-jni.linux${IS_MUSL ? '_musl' : ''}-${IS_ARM ? 'aarch_64' : 'x86_64'}.so`;

/** Folder that `hearth runtimes install java21` puts the client into; one for all versions of Java. */
export function javaClientDirectory(dataDir: string): string {
  return join(installedRuntimesDirectory(dataDir), `java-client-${CLIENT_VERSION}`);
}

/** The client's folder; undefined where it is not installed. What is in it was checked at install. */
export async function findJavaClient(dataDir: string): Promise<string | undefined> {
  const folder = javaClientDirectory(dataDir);
  return access(folder).then(
    () => folder,
    () => undefined,
  );
}
