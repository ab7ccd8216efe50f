import { readFile, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';

import { Runtime } from '@aws-sdk/client-lambda';
import { build } from 'esbuild';
import { ZipFile } from 'yazl';

/** A folder of examples/, as its example.json describes it. */
export interface Example {
  readonly directory: string;
  readonly functionName: string;
  readonly what: string;
  readonly runtime: Runtime;
  readonly handler: string;
  readonly event: unknown;
  /** Seconds; 3 is what AWS Lambda takes. */
  readonly timeoutSeconds?: number;
  readonly memoryMb?: number;
  /** File that esbuild makes one `index.mjs` of; without it the folder is packed as it is. */
  readonly build?: { readonly bundle: string };
}

/** A fixed time of modification: the same files always give the same archive. */
const MODIFIED_AT = new Date(Date.UTC(2020, 0, 1, 12));

/** All examples below `directory`, in the order of their names. */
export async function readExamples(directory: string): Promise<Example[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  const names = entries.filter((entry) => entry.isDirectory()).map((entry) => entry.name);
  return await Promise.all(
    names.sort().map(async (name) => {
      const folder = join(directory, name);
      return parseExample(folder, await readFile(join(folder, 'example.json'), 'utf8'));
    }),
  );
}

function parseExample(directory: string, text: string): Example {
  const value: unknown = JSON.parse(text);
  if (!isRecord(value)) throw new Error(`Cannot read ${directory}/example.json: not an object`);
  const {
    functionName,
    what,
    runtime,
    handler,
    event,
    timeoutSeconds,
    memoryMb,
    build: made,
  } = value;
  const known = Object.values(Runtime).find((name) => name === runtime);
  if (
    known === undefined ||
    typeof functionName !== 'string' ||
    typeof what !== 'string' ||
    typeof handler !== 'string' ||
    (made !== undefined && (!isRecord(made) || typeof made['bundle'] !== 'string'))
  ) {
    throw new Error(
      `Cannot read ${directory}/example.json as functionName, what, handler, build.bundle must be text ` +
        `and runtime one of AWS Lambda's: received ${text}`,
    );
  }
  return {
    directory,
    functionName,
    what,
    runtime: known,
    handler,
    event,
    ...(typeof timeoutSeconds === 'number' && { timeoutSeconds }),
    ...(typeof memoryMb === 'number' && { memoryMb }),
    ...(isRecord(made) && { build: { bundle: String(made['bundle']) } }),
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}

/** The deployment package: a zip archive as one would upload it to AWS Lambda. */
export async function packExample(example: Example): Promise<Uint8Array> {
  const zip = new ZipFile();
  for (const { name, content } of await filesOf(example)) {
    zip.addBuffer(content, name, { mtime: MODIFIED_AT, mode: 0o100644 });
  }
  zip.end();
  return await buffer(zip.outputStream);
}

async function filesOf(example: Example): Promise<{ name: string; content: Buffer }[]> {
  if (example.build !== undefined) {
    return [{ name: 'index.mjs', content: await bundle(example.directory, example.build.bundle) }];
  }
  const names = await readdir(example.directory);
  const packed = names.filter((name) => name !== 'example.json' && name !== '__pycache__').sort();
  return await Promise.all(
    packed.map(async (name) => ({ name, content: await readFile(join(example.directory, name)) })),
  );
}

async function bundle(directory: string, entry: string): Promise<Buffer> {
  const { outputFiles } = await build({
    absWorkingDir: directory,
    entryPoints: [entry],
    bundle: true,
    platform: 'node',
    target: 'node20',
    format: 'esm',
    minify: true,
    write: false,
  });
  const [file] = outputFiles;
  if (file === undefined) throw new Error(`Cannot bundle ${entry}: esbuild gave no file`);
  return Buffer.from(file.contents);
}
