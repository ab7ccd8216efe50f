import { constants } from 'node:fs';
import { access, open, realpath, stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { basename, dirname, join, relative, sep } from 'node:path';
import type { RuntimeId } from '../domain/runtimes.ts';
import { MANAGED_RUNTIMES } from '../domain/runtimes.ts';
import { chooseInterpreter, isSupportedVersion } from './choose-interpreter.ts';
import type { Candidate, Family, Machine } from './interpreter-locations.ts';
import { findCandidates, installedRuntimesDirectory } from './interpreter-locations.ts';
import { ProbeCache } from './probe-cache.ts';
import type { ProbeAnswer } from './probe-interpreter.ts';
import { probeInterpreter } from './probe-interpreter.ts';
import type { Interpreter, RuntimeCatalog, RuntimeChoice } from './runtime-catalog.ts';

export interface LocalRuntimeCatalogOptions extends Partial<Machine> {
  readonly dataDir: string;
  /** Resolve only to interpreters of the runtime's own version. */
  readonly strict: boolean;
  /** Asks a program for its version. */
  readonly probe?: (family: Family, path: string) => Promise<ProbeAnswer | undefined>;
}

interface Discovery {
  /** State of the folder of installed runtimes that it was made from. */
  readonly installedState: string;
  readonly interpreters: Promise<Interpreter[]>;
}

/** So many interpreters are asked at the same time. */
const PROBES_AT_ONCE = 4;

/**
 * The interpreters of this machine. What they answered is kept in the data folder. A runtime that
 * `hearth runtimes install` adds later is seen by the next call.
 */
export class LocalRuntimeCatalog implements RuntimeCatalog {
  readonly #machine: Machine;
  readonly #strict: boolean;
  readonly #probe: NonNullable<LocalRuntimeCatalogOptions['probe']>;
  readonly #discoveries = new Map<Family, Discovery>();
  /** What was found last. */
  readonly #known = new Map<Family, readonly Interpreter[]>();
  /** Chains discoveries: two families must not save the cache over each other. */
  #lastDiscovery: Promise<unknown> = Promise.resolve();

  constructor(options: LocalRuntimeCatalogOptions) {
    this.#machine = {
      dataDir: options.dataDir,
      environment: options.environment ?? process.env,
      homeDirectory: options.homeDirectory ?? homedir(),
      execPath: options.execPath ?? process.execPath,
      systemRoot: options.systemRoot ?? '/',
    };
    this.#strict = options.strict;
    this.#probe = options.probe ?? probeInterpreter;
  }

  async resolve(runtime: RuntimeId): Promise<RuntimeChoice | undefined> {
    const family = MANAGED_RUNTIMES.get(runtime)?.family;
    if (family === undefined || family === 'provided') return undefined;
    const known = this.#known.get(family);
    const choice = known && chooseInterpreter(runtime, known, this.#strict);
    if (choice?.exact === true) {
      // Nothing better can have been installed meanwhile: nobody has to wait for a disk.
      setImmediate(() => void this.#interpreters(family));
      return choice;
    }
    return chooseInterpreter(runtime, await this.#interpreters(family), this.#strict);
  }

  async list(): Promise<Interpreter[]> {
    const families = ['nodejs', 'python', 'java'] as const;
    const found = await Promise.all(families.map((family) => this.#interpreters(family)));
    return found.flat();
  }

  async #interpreters(family: Family): Promise<Interpreter[]> {
    const installedState = await stateOf(installedRuntimesDirectory(this.#machine.dataDir));
    const known = this.#discoveries.get(family);
    if (known?.installedState === installedState) return known.interpreters;
    const interpreters = this.#lastDiscovery.then(async () => {
      const found = await this.#discover(family);
      this.#known.set(family, found);
      return found;
    });
    this.#lastDiscovery = interpreters;
    this.#discoveries.set(family, { installedState, interpreters });
    return interpreters;
  }

  /** Never rejects: what cannot be looked at is not there. */
  async #discover(family: Family): Promise<Interpreter[]> {
    const cache = await ProbeCache.open(join(this.#machine.dataDir, 'cache', 'interpreters.json'));
    const waiting = await this.#distinctPrograms(family);
    const found: Interpreter[] = [];
    while (waiting.length > 0) {
      const batch = waiting.splice(0, PROBES_AT_ONCE);
      const answers = await Promise.all(batch.map((program) => this.#ask(family, program, cache)));
      for (const interpreter of answers) if (interpreter !== undefined) found.push(interpreter);
    }
    await cache.save();
    return found;
  }

  /** Candidates by real path, the first origin of each, those left out that cannot be interpreters. */
  async #distinctPrograms(family: Family): Promise<Candidate[]> {
    const candidates = await findCandidates(family, this.#machine);
    const resolved = await Promise.all(
      candidates.map(async ({ path, origin }) => ({ path: await programAt(path), origin })),
    );
    const privateFolders = await this.#privateFolders();
    const distinct = new Map<string, Candidate>();
    for (const { path, origin } of resolved) {
      if (path === undefined || distinct.has(path) || basename(dirname(path)) !== 'bin') continue;
      if (!isTooWide(dirname(dirname(path)), privateFolders)) distinct.set(path, { path, origin });
    }
    return [...distinct.values()];
  }

  /** The home folder, its data and this server's data, by their real paths. */
  async #privateFolders(): Promise<string[]> {
    const { homeDirectory, dataDir } = this.#machine;
    const folders = [homeDirectory, join(homeDirectory, '.local', 'share'), dataDir];
    return Promise.all(folders.map((folder) => realpath(folder).catch(() => folder)));
  }

  async #ask(
    family: Family,
    { path, origin }: Candidate,
    cache: ProbeCache,
  ): Promise<Interpreter | undefined> {
    const key = `${family} ${path} ${await stateOf(path)}`;
    let answer = cache.get(key);
    if (answer === undefined) {
      answer = await this.#probe(family, path);
      if (answer !== undefined) cache.set(key, answer);
    }
    const version = answer?.version;
    if (version === undefined || !isSupportedVersion(family, version)) return undefined;
    const prefix = dirname(dirname(path));
    return { family, version, prefix, program: relative(prefix, path), origin };
  }
}

/**
 * True where showing the prefix to a function would show it private files. `/usr` is shown to
 * every function for its libraries.
 */
function isTooWide(prefix: string, privateFolders: readonly string[]): boolean {
  if (isInside(prefix, '/usr')) return false;
  return privateFolders.some((folder) => isInside(folder, prefix));
}

/**
 * The file behind a path where it is a program. Scripts are none: they are shims of version
 * managers, whose real programs are found in the managers' own folders, or wrappers that would not
 * run from another place.
 */
async function programAt(path: string): Promise<string | undefined> {
  try {
    const real = await realpath(path);
    // On a Mac without developer tools these open a dialog that offers to install them.
    if (process.platform === 'darwin' && /^\/usr\/bin\/(python|java)/.test(real)) return undefined;
    if (!(await stat(real)).isFile()) return undefined;
    await access(real, constants.X_OK);
    return (await isScript(real)) ? undefined : real;
  } catch {
    return undefined;
  }
}

async function isScript(path: string): Promise<boolean> {
  await using file = await open(path, 'r');
  const { buffer } = await file.read(Buffer.alloc(2), 0, 2, 0);
  return buffer.toString('latin1') === '#!';
}

async function stateOf(path: string): Promise<string> {
  try {
    const { mtimeMs, size } = await stat(path);
    return `${mtimeMs} ${size}`;
  } catch {
    return 'absent';
  }
}

function isInside(path: string, folder: string): boolean {
  return path === folder || path.startsWith(folder.endsWith(sep) ? folder : folder + sep);
}
