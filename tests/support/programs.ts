import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PublishLayerVersionCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { craftZip } from '../../packages/server/src/artifacts/crafted-zip.ts';

const run = promisify(execFile);
const EXECUTABLE = 0o100755;

/** An archive whose files may all be executed. */
export function archiveOfPrograms(programs: Readonly<Record<string, string | Buffer>>): Buffer {
  return craftZip(
    Object.entries(programs).map(([name, content]) => ({ name, content, mode: EXECUTABLE })),
  );
}

/** Publishes a layer of programs; its ARN. */
export async function publishPrograms(
  client: LambdaClient,
  name: string,
  programs: Readonly<Record<string, string | Buffer>>,
): Promise<string> {
  const { LayerVersionArn = '' } = await client.send(
    new PublishLayerVersionCommand({
      LayerName: name,
      Content: { ZipFile: archiveOfPrograms(programs) },
    }),
  );
  return LayerVersionArn;
}

/** The program that a C source of `tests/e2e/fixtures` is compiled to; a reason where it cannot be. */
export async function compileC(source: string): Promise<Buffer | { readonly reason: string }> {
  const folder = await mkdtemp(join(tmpdir(), 'hearth-c-'));
  try {
    const program = join(folder, 'program');
    const path = fileURLToPath(new URL(`../e2e/fixtures/${source}`, import.meta.url));
    await run('cc', ['-O1', '-o', program, path]);
    return await readFile(program);
  } catch {
    return { reason: 'needs a C compiler (cc) on PATH' };
  } finally {
    await rm(folder, { recursive: true });
  }
}
