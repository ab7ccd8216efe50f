import { realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname } from 'node:path';
import type { Family } from './interpreter-locations.ts';
import { runProgram } from './run-program.ts';

/** What an interpreter said about itself; `version` is absent where it is none that can be used. */
export interface ProbeAnswer {
  readonly version?: string;
}

/** Starting a large interpreter from a cold disk takes seconds; a program that waits for input never ends. */
const PROBE_TIMEOUT_MS = 10_000;

/**
 * Asked in the interpreter's own language rather than by `--version`, since wrappers answer that
 * too: the answer must show that this very file is the program and its prefix is the parent folder,
 * so that it also runs from where the prefix is bound in a sandbox.
 */
const QUESTIONS: Readonly<Record<Family, readonly string[]>> = {
  nodejs: ['-p', 'JSON.stringify([process.release.name, process.versions.node, process.execPath])'],
  python: [
    '-I',
    '-S',
    '-c',
    'import json, sys; print(json.dumps([sys.implementation.name, "%d.%d.%d" % sys.version_info[:3], sys.base_prefix]))',
  ],
};

const IMPLEMENTATIONS: Readonly<Record<Family, string>> = { nodejs: 'node', python: 'cpython' };

/**
 * Asks a program (a path without symbolic links) for its version. Undefined where it did not
 * answer in time, which may be otherwise the next time.
 */
export async function probeInterpreter(
  family: Family,
  path: string,
): Promise<ProbeAnswer | undefined> {
  const environment = { PATH: '/usr/bin:/bin', HOME: homedir(), LANG: 'C' };
  let stdout: string;
  try {
    const options = { environment, workingDirectory: '/', timeoutMs: PROBE_TIMEOUT_MS };
    const result = await runProgram(path, QUESTIONS[family], options);
    if (result.exitCode === undefined) return undefined;
    if (result.exitCode !== 0) return {};
    stdout = result.stdout;
  } catch {
    return {};
  }
  const [implementation, version, place] = parseAnswer(stdout);
  if (implementation !== IMPLEMENTATIONS[family] || version === undefined) return {};
  const version3 = /^\d+\.\d+\.\d+/.exec(version)?.[0];
  const expectedPlace = family === 'nodejs' ? path : dirname(dirname(path));
  if (version3 === undefined || (await resolved(place)) !== expectedPlace) return {};
  return { version: version3 };
}

function parseAnswer(stdout: string): readonly (string | undefined)[] {
  try {
    const answer: unknown = JSON.parse(stdout);
    if (Array.isArray(answer)) return answer.map((part) => (typeof part === 'string' ? part : ''));
  } catch {
    // Whatever it printed, it is not an interpreter.
  }
  return [];
}

async function resolved(path: string | undefined): Promise<string | undefined> {
  if (path === undefined) return undefined;
  try {
    return await realpath(path);
  } catch {
    return undefined;
  }
}
