import { realpath } from 'node:fs/promises';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import type { Family } from './interpreter-locations.ts';
import { runProgram } from './run-program.ts';

/** What an interpreter said about itself; `version` is absent where it is none that can be used. */
export interface ProbeAnswer {
  readonly version?: string;
}

/** Starting a large interpreter from a cold disk takes seconds; a program that waits for input never ends. */
const PROBE_TIMEOUT_MS = 10_000;

/**
 * How interpreters of a family are asked, and where they must say to be. Not by `--version`, since
 * wrappers answer that too: the answer must show that this very file is the program and its prefix
 * is the parent folder, so that it also runs from where the prefix is bound in a sandbox.
 */
interface Question {
  readonly programArguments: readonly string[];
  readonly implementation: string;
  read(stdout: string, stderr: string): Answer | undefined;
  /** Where it should say to be, if `path` is all there is to it. */
  places(path: string): readonly string[];
}

interface Answer {
  readonly implementation: string;
  readonly version: string;
  readonly place: string;
}

const QUESTIONS: Readonly<Record<Family, Question>> = {
  nodejs: {
    programArguments: [
      '-p',
      'JSON.stringify([process.release.name, process.versions.node, process.execPath])',
    ],
    implementation: 'node',
    read: readJson,
    places: (path) => [path],
  },
  python: {
    programArguments: [
      '-I',
      '-S',
      '-c',
      'import json, sys; print(json.dumps([sys.implementation.name, "%d.%d.%d" % sys.version_info[:3], sys.base_prefix]))',
    ],
    implementation: 'cpython',
    read: readJson,
    places: (path) => [dirname(dirname(path))],
  },
  java: {
    programArguments: ['-XshowSettings:properties', '-version'],
    implementation: 'java',
    read: readJavaProperties,
    // A JDK 8 has its runtime in a folder below.
    places: (path) => [dirname(dirname(path)), join(dirname(dirname(path)), 'jre')],
  },
};

/**
 * Asks a program (a path without symbolic links) for its version. Undefined where it did not
 * answer in time, which may be otherwise the next time.
 */
export async function probeInterpreter(
  family: Family,
  path: string,
): Promise<ProbeAnswer | undefined> {
  const question = QUESTIONS[family];
  const environment = { PATH: '/usr/bin:/bin', HOME: homedir(), LANG: 'C' };
  let answer: Answer | undefined;
  try {
    const options = { environment, workingDirectory: '/', timeoutMs: PROBE_TIMEOUT_MS };
    const result = await runProgram(path, question.programArguments, options);
    if (result.exitCode === undefined) return undefined;
    if (result.exitCode !== 0) return {};
    answer = question.read(result.stdout, result.stderr);
  } catch {
    return {};
  }
  if (answer === undefined || answer.implementation !== question.implementation) return {};
  const place = await realpath(answer.place).catch(() => undefined);
  const version = /^\d+\.\d+\.\d+/.exec(answer.version)?.[0];
  if (version === undefined || !question.places(path).some((one) => one === place)) return {};
  return { version };
}

function readJson(stdout: string): Answer | undefined {
  const parts: unknown = JSON.parse(stdout);
  if (!Array.isArray(parts)) return undefined;
  const [implementation, version, place] = parts.map((part) =>
    typeof part === 'string' ? part : '',
  );
  if (implementation === undefined || version === undefined || place === undefined)
    return undefined;
  return { implementation, version, place };
}

/** Java prints its properties to standard error, one a line: `    java.version = 17.0.15`. */
function readJavaProperties(_stdout: string, stderr: string): Answer | undefined {
  const property = (name: string): string | undefined =>
    new RegExp(String.raw`^ *${name.replaceAll('.', String.raw`\.`)} = (.*)$`, 'm').exec(
      stderr,
    )?.[1];
  const version = property('java.version');
  const place = property('java.home');
  if (version === undefined || place === undefined) return undefined;
  return { implementation: 'java', version: javaVersion(version), place };
}

/** `1.8.0_402` → `8.0.402`, `25` → `25.0.0`. */
function javaVersion(text: string): string {
  const numbers = text
    .replace(/^1\./, '')
    .split(/[^\d]/)
    .filter((part) => part !== '');
  return [...numbers, '0', '0'].slice(0, 3).join('.');
}
