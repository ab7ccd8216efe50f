import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { ProbeAnswer } from './probe-interpreter.ts';

/** Counts up with the questions, so that answers to older ones are asked again. */
const FORMAT = 1;

/** Interpreters that are gone leave their answers behind; past this many the oldest are dropped. */
const MAX_ANSWERS = 256;

/**
 * Answers of interpreters, kept on disk so that a second start of the server asks none. An answer
 * counts only for the file that gave it: path, size and time of change.
 */
export class ProbeCache {
  readonly #path: string;
  readonly #answers: Map<string, ProbeAnswer>;
  #isChanged = false;

  private constructor(path: string, answers: Map<string, ProbeAnswer>) {
    this.#path = path;
    this.#answers = answers;
  }

  /** A file that is missing or damaged is an empty cache. */
  static async open(path: string): Promise<ProbeCache> {
    return new ProbeCache(path, await readAnswers(path));
  }

  get(key: string): ProbeAnswer | undefined {
    return this.#answers.get(key);
  }

  set(key: string, answer: ProbeAnswer): void {
    this.#answers.set(key, answer);
    this.#isChanged = true;
    for (const oldest of this.#answers.keys()) {
      if (this.#answers.size <= MAX_ANSWERS) break;
      this.#answers.delete(oldest);
    }
  }

  /** Writes what changed. A data folder that cannot be written costs the next start its time, no more. */
  async save(): Promise<void> {
    if (!this.#isChanged) return;
    this.#isChanged = false;
    const staged = `${this.#path}.${randomUUID()}`;
    const content = { format: FORMAT, answers: Object.fromEntries(this.#answers) };
    try {
      await mkdir(dirname(this.#path), { recursive: true });
      await writeFile(staged, JSON.stringify(content, null, 1), { mode: 0o600 });
      await rename(staged, this.#path);
    } catch {
      await rm(staged, { force: true }).catch(() => undefined);
    }
  }
}

async function readAnswers(path: string): Promise<Map<string, ProbeAnswer>> {
  const answers = new Map<string, ProbeAnswer>();
  try {
    const content: unknown = JSON.parse(await readFile(path, 'utf8'));
    if (!isObject(content) || content['format'] !== FORMAT) return answers;
    for (const [key, answer] of Object.entries(content['answers'] ?? {})) {
      const version: unknown = isObject(answer) ? answer['version'] : undefined;
      if (typeof version === 'string') answers.set(key, { version });
      else answers.set(key, {});
    }
  } catch {
    answers.clear();
  }
  return answers;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
