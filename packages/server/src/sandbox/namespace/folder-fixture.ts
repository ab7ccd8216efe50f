import { chmodSync, chownSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ContractBench } from '../contract-bench.ts';
import { CodeFolderError, type SandboxDriver } from '../sandbox.ts';
import { openNamespaceDriver } from './namespace-driver.ts';

export async function openNamespace(dataDir: string): Promise<SandboxDriver> {
  return (await openNamespaceDriver(dataDir)).driver;
}

/** Makes a folder that only its owner may enter, with a file that only its owner may read. */
export function privateFolder(folder: string, content = 'private', owner = 0): string {
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, 'code.txt'), content);
  chmodSync(join(folder, 'code.txt'), 0o600);
  chmodSync(folder, 0o700);
  for (const path of [folder, join(folder, 'code.txt')]) chownSync(path, owner, owner);
  return folder;
}

/** Lines of this process's mounts that hold `part`. */
export function mountLines(part: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((line) => line.includes(part));
}

/** How many descriptors this process has open. */
export function descriptorCount(): number {
  return readdirSync('/proc/self/fd').length;
}

/** Numbers of the processes that this one has started and not waited for, as text. */
export function childNumbers(): string {
  return readdirSync('/proc/self/task')
    .map((task) => readFileSync(`/proc/self/task/${task}/children`, 'latin1'))
    .join('')
    .trim();
}

/** Why folders cannot be shown as another user's here; undefined where they can. */
export async function findMappingObstacle(): Promise<string | undefined> {
  if (process.getuid?.() !== 0) return 'needs root';
  const bench = await ContractBench.open(openNamespace).catch((error: unknown) => String(error));
  if (typeof bench === 'string') return bench;
  await using used = bench;
  const task = privateFolder(join(used.dataDir, '..', 'probe'));
  try {
    await used.create({ task, taskInPlace: true });
    return undefined;
  } catch (error) {
    if (error instanceof CodeFolderError) return error.message;
    throw error;
  }
}
