import { createHash, randomBytes } from 'node:crypto';
import {
  access,
  chmod,
  mkdir,
  readdir,
  readFile,
  rename,
  rm,
  stat,
  writeFile,
} from 'node:fs/promises';
import { basename, join } from 'node:path';
import type { FunctionVersion } from '../../domain/function.ts';
import { MANAGED_RUNTIMES } from '../../domain/runtimes.ts';
import { ARCHIVES_FOLDER, findJavaClient, JAVA_CLIENT_JARS } from '../../runtimes/java-client.ts';
import type { Interpreter, RuntimeCatalog } from '../../runtimes/runtime-catalog.ts';
import { archivingArguments, canArchiveClasses } from './java-arguments.ts';
import type { makeClassArchive } from './make-class-archive.ts';
import type { JavaFolder } from './runtime-launcher.ts';

export interface JavaArchivesOptions {
  readonly dataDir: string;
  readonly catalog: RuntimeCatalog;
  /** Of the sandbox driver: paths in an archive are those of its sandboxes. */
  readonly driverName: string;
  readonly make: (
    parts: Pick<
      Parameters<typeof makeClassArchive>[0],
      'interpreter' | 'clientFolder' | 'taskFolder' | 'signal'
    >,
  ) => Promise<Buffer>;
  /** Told once for a Java without an archive; its functions start without. */
  readonly onFault: (error: unknown) => void;
}

/**
 * AWS's client for Java with an archive of its classes for each Java, which saves half of a cold
 * start. Archives are made once, when the first function of a Java is deployed, and kept beside the
 * client, where functions can only read them. Which build of Java, client and flags one was made
 * with is in its name.
 */
export class JavaArchives implements AsyncDisposable {
  readonly #options: JavaArchivesOptions;
  /** Names of archives by Java; undefined where there is none and will be none. */
  readonly #made = new Map<string, Promise<string | undefined>>();
  readonly #ready = new Map<string, string>();
  readonly #stopping = new AbortController();
  /** One at a time: each takes all of a core for seconds. */
  #last: Promise<unknown> = Promise.resolve();

  constructor(options: JavaArchivesOptions) {
    this.#options = options;
  }

  /** The client's folder, undefined where it is not installed; with the archive once that is there. */
  async folder(interpreter: Interpreter): Promise<JavaFolder | undefined> {
    const path = await findJavaClient(this.#options.dataDir);
    if (path === undefined) return undefined;
    void this.#prepare(interpreter, path);
    const archive = this.#ready.get(keyOf(interpreter, path));
    return { path, ...(archive !== undefined && { archive }) };
  }

  /** Settles when there is an archive for a function of Java, or will be none. Never rejects. */
  async prepare({ runtime }: FunctionVersion): Promise<void> {
    if (MANAGED_RUNTIMES.get(runtime)?.family !== 'java') return;
    const choice = await this.#options.catalog.resolve(runtime);
    const path = await findJavaClient(this.#options.dataDir);
    if (choice !== undefined && path !== undefined) await this.#prepare(choice.interpreter, path);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.#last;
  }

  #prepare(interpreter: Interpreter, clientFolder: string): Promise<unknown> {
    const key = keyOf(interpreter, clientFolder);
    let made = this.#made.get(key);
    if (made === undefined) {
      made = this.#last.then(() => this.#findOrMake(interpreter, clientFolder, key));
      this.#made.set(key, made);
      this.#last = made;
    }
    return made;
  }

  async #findOrMake(
    interpreter: Interpreter,
    clientFolder: string,
    key: string,
  ): Promise<string | undefined> {
    if (!canArchiveClasses(interpreter)) return undefined;
    try {
      const name = await this.#nameOf(interpreter, clientFolder);
      const path = join(clientFolder, name);
      if (!(await exists(path))) await this.#make(interpreter, clientFolder, path);
      this.#ready.set(key, name);
      return name;
    } catch (error) {
      if (!this.#stopping.signal.aborted) {
        const java = `Java ${interpreter.version} (${interpreter.prefix})`;
        this.#options.onFault(
          new Error(`Cannot archive the classes of ${java}, which starts slower without`, {
            cause: error,
          }),
        );
      }
      return undefined;
    }
  }

  /** Differs for each build of Java, and for whatever else an archive must be made anew for. */
  async #nameOf(interpreter: Interpreter, clientFolder: string): Promise<string> {
    const { prefix, program, version } = interpreter;
    const paths = {
      task: '',
      runtime: clientFolder,
      language: prefix,
      opt: '',
      tmp: '',
      cache: '',
    };
    const parts = [
      this.#options.driverName,
      prefix,
      program,
      ...archivingArguments(interpreter, paths, ''),
      await readFile(join(prefix, 'release'), 'utf8').catch(() => ''),
      ...(await Promise.all(
        [
          ...[program, 'lib/modules', 'lib/server/libjvm.so'].map((path) => join(prefix, path)),
          // Java compares their times with those that the archive was made with.
          ...JAVA_CLIENT_JARS.map((path) => join(clientFolder, path)),
        ].map(stateOf),
      )),
    ];
    const hash = createHash('sha256').update(JSON.stringify(parts)).digest('hex');
    return `${ARCHIVES_FOLDER}/java${version.split('.')[0]}-${hash.slice(0, 32)}.jsa`;
  }

  /** Under another name until all of it is there. */
  async #make(interpreter: Interpreter, clientFolder: string, path: string): Promise<void> {
    const taskFolder = join(clientFolder, ARCHIVES_FOLDER);
    await mkdir(taskFolder, { recursive: true });
    await chmod(taskFolder, 0o755);
    const { signal } = this.#stopping;
    signal.throwIfAborted();
    const content = await this.#options.make({ interpreter, clientFolder, taskFolder, signal });
    const staging = `${path}.${randomBytes(4).toString('hex')}`;
    try {
      await writeFile(staging, content);
      await chmod(staging, 0o644);
      await rename(staging, path);
    } finally {
      await rm(staging, { force: true });
    }
    await this.#removeOlder(taskFolder, basename(path));
  }

  /** Of the same version of Java, which has been updated. Programs that have one mapped keep it. */
  async #removeOlder(folder: string, name: string): Promise<void> {
    const kept = new Set([name, ...[...this.#ready.values()].map((path) => basename(path))]);
    const version = name.split('-')[0] ?? name;
    for (const other of await readdir(folder)) {
      if (other.startsWith(`${version}-`) && !kept.has(other)) await rm(join(folder, other));
    }
  }
}

function keyOf({ prefix, program, version }: Interpreter, clientFolder: string): string {
  return `${clientFolder} ${prefix}/${program} ${version}`;
}

async function stateOf(path: string): Promise<string> {
  return stat(path).then(
    ({ size, mtimeMs }) => `${size} ${mtimeMs}`,
    () => 'absent',
  );
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
