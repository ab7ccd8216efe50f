import { execFileSync } from 'node:child_process';
import { accessSync, constants, mkdtempSync, realpathSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { buildNodeBootstrap } from '../../build.ts';
import type { RuntimeCommand } from '../../contract/launched-runtime.ts';

export interface NodeUnderTest {
  /** `24.21.0`. */
  readonly version: string;
  readonly command: RuntimeCommand;
}

/** Builds the bootstrap into a new folder; the caller removes it. */
export function buildForTest(): { readonly directory: string; readonly file: string } {
  const directory = mkdtempSync(join(tmpdir(), 'hearth-bootstrap-'));
  const file = join(directory, 'index.cjs');
  buildNodeBootstrap(file);
  return { directory, file };
}

/** Every Node.js ≥ 18 that can be found: the one that runs the tests, and those on PATH. */
export function findNodes(bootstrapFile: string): NodeUnderTest[] {
  const programs = [
    process.execPath,
    ...(process.env['PATH'] ?? '').split(delimiter).map((folder) => join(folder, 'node')),
  ];
  const found = new Map<string, NodeUnderTest>();
  for (const program of new Set(programs.filter(isExecutable).map((path) => realpathSync(path)))) {
    const version = versionOf(program);
    if (version === undefined || Number.parseInt(version, 10) < 18 || found.has(version)) continue;
    found.set(version, { version, command: { argv: [program, bootstrapFile] } });
  }
  return [...found.values()];
}

function isExecutable(path: string): boolean {
  try {
    accessSync(path, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}

/** Undefined where the program on PATH is a script around something else, or does not run. */
function versionOf(program: string): string | undefined {
  try {
    const version = execFileSync(program, ['--version'], { encoding: 'utf8', env: {} });
    return /^v(\d+\.\d+\.\d+)/.exec(version)?.[1];
  } catch {
    return undefined;
  }
}
