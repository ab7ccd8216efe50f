import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join, relative } from 'node:path';
import { removeTree } from '../files/remove-tree.ts';
import type { Interpreter } from './runtime-catalog.ts';
import { runProgram } from './run-program.ts';

export interface BootstrapFoldersOptions {
  /** Folders of Hearth's own bootstraps on the host. */
  readonly sources: Readonly<Record<'nodejs' | 'python', string>>;
  /** Where compiled ones are kept; made if missing. */
  readonly cacheDirectory: string;
  /** Told once for an interpreter for which nothing can be compiled; it runs from the source. */
  readonly onFault: (error: unknown) => void;
}

/** The bootstrap's own code; what else lies beside it, such as tests, is not for the guest. */
const PYTHON_CODE = ['bootstrap.py', 'hearth_guest'];
const COMPILE_TIMEOUT_MS = 60_000;

/**
 * The folder that an environment's bootstrap is run from. Python finds bytecode there, which saves it
 * a third of its start; as guests never write any, it is made here, once for each interpreter.
 */
export class BootstrapFolders implements AsyncDisposable {
  readonly #options: BootstrapFoldersOptions;
  /** Folders by interpreter, from when the compiling began; undefined until it has ended. */
  readonly #compiled = new Map<string, string | undefined>();
  readonly #underWay = new Set<Promise<void>>();
  readonly #stopping = new AbortController();

  constructor(options: BootstrapFoldersOptions) {
    this.#options = options;
  }

  /** Never waits: the first start of a Python runs from the source while its bytecode is made. */
  folderFor(interpreter: Interpreter): string {
    const { family } = interpreter;
    if (family === 'java') throw new Error('Hearth has no bootstrap of its own for Java');
    const source = this.#options.sources[family];
    if (family === 'nodejs') return source;
    const key = `${interpreter.prefix}/${interpreter.program} ${interpreter.version}`;
    if (!this.#compiled.has(key)) {
      this.#compiled.set(key, undefined);
      const work = this.#compile(key, source, interpreter).finally(() => {
        this.#underWay.delete(work);
      });
      this.#underWay.add(work);
    }
    return this.#compiled.get(key) ?? source;
  }

  /** Settles when what is being compiled is there. */
  async settled(): Promise<void> {
    await Promise.all(this.#underWay);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#stopping.abort();
    await this.settled();
  }

  async #compile(key: string, source: string, interpreter: Interpreter): Promise<void> {
    try {
      const files = await readCode(source);
      const hash = createHash('sha256').update(key);
      for (const [path, content] of files) hash.update(`\0${path}\0`).update(content);
      const target = join(
        this.#options.cacheDirectory,
        `python-${hash.digest('hex').slice(0, 32)}`,
      );
      if (!(await exists(target))) await this.#make(target, files, interpreter);
      this.#compiled.set(key, target);
    } catch (error) {
      if (!this.#stopping.signal.aborted) this.#options.onFault(error);
    }
  }

  /** Under another name until all of it is there: a folder of the right name is complete. */
  async #make(
    target: string,
    files: ReadonlyMap<string, Buffer>,
    interpreter: Interpreter,
  ): Promise<void> {
    await mkdir(this.#options.cacheDirectory, { recursive: true });
    const staging = await mkdtemp(`${target}-`);
    try {
      for (const [path, content] of files) {
        await mkdir(join(staging, path, '..'), { recursive: true });
        await writeFile(join(staging, path), content);
      }
      await this.#runCompiler(staging, interpreter);
      await makeReadable(staging);
      await rename(staging, target);
    } catch (error) {
      await removeTree(staging);
      // Another server, or another start of this one, was faster.
      if (!(await exists(target))) throw error;
    }
  }

  async #runCompiler(folder: string, { prefix, program }: Interpreter): Promise<void> {
    // Bytecode that is checked by nothing: neither times nor the source matter to it.
    const flags = ['-s', '-m', 'compileall', '-q', '--invalidation-mode', 'unchecked-hash'];
    const { exitCode, stdout, stderr } = await runProgram(
      join(prefix, program),
      [...flags, folder],
      {
        environment: {},
        workingDirectory: folder,
        timeoutMs: COMPILE_TIMEOUT_MS,
        signal: this.#stopping.signal,
      },
    );
    if (exitCode === 0) return;
    const reason = (stderr || stdout).trim().split('\n').at(-1) ?? '';
    throw new Error(`Cannot compile the Python bootstrap with ${prefix}/${program}: ${reason}`);
  }
}

/** Contents by path, in the order of the paths. */
async function readCode(source: string): Promise<Map<string, Buffer>> {
  const paths: string[] = [];
  for (const name of PYTHON_CODE) {
    if (name.endsWith('.py')) {
      paths.push(name);
      continue;
    }
    const folder = join(source, name);
    for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
      const path = relative(source, join(entry.parentPath, entry.name));
      if (entry.isFile() && path.endsWith('.py')) paths.push(path);
    }
  }
  const files = new Map<string, Buffer>();
  for (const path of paths.sort()) files.set(path, await readFile(join(source, path)));
  return files;
}

/** For every user, whatever the server's umask is. */
async function makeReadable(folder: string): Promise<void> {
  await chmod(folder, 0o755);
  for (const entry of await readdir(folder, { withFileTypes: true, recursive: true })) {
    await chmod(join(entry.parentPath, entry.name), entry.isDirectory() ? 0o755 : 0o644);
  }
}

async function exists(path: string): Promise<boolean> {
  return readdir(path).then(
    () => true,
    () => false,
  );
}
