import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { removeTree } from '../files/remove-tree.ts';
import { errorCode } from '../system-calls/error-code.ts';

/** What a server writes down before it makes anything, so that its successor can remove it. */
export interface InstanceRecord {
  /** 12 hexadecimal digits, never used twice. */
  readonly instanceId: string;
  readonly pid: number;
  /** When the process started and in which boot; undefined where the system does not tell. */
  readonly processStart: string | undefined;
  /** Of the instance's processes, as a decimal number; undefined where none are tagged. */
  readonly tag: string | undefined;
  /** True where the instance has mounts, user ids and a folder in `/run/hearth`. */
  readonly mounts: boolean;
  /** Control groups of the instance, one for each hierarchy; absolute. */
  readonly controlGroups: readonly string[];
}

/** A new id for an instance. */
export function createInstanceId(): string {
  return randomBytes(6).toString('hex');
}

/** `<dataDir>/run/<instanceId>`: one folder per living server, with its record and its sandboxes. */
export function instanceFolder(dataDir: string, instanceId: string): string {
  return join(dataDir, 'run', instanceId);
}

/** Makes the instance's folder with its record in it, both at once; resolves to the folder. */
export async function writeInstanceRecord(
  dataDir: string,
  record: Omit<InstanceRecord, 'pid' | 'processStart'>,
): Promise<string> {
  const folder = instanceFolder(dataDir, record.instanceId);
  const complete: InstanceRecord = {
    ...record,
    pid: process.pid,
    processStart: await processStart(process.pid),
  };
  const unfinished = join(dataDir, 'run', `.${record.instanceId}-${process.pid}`);
  await mkdir(unfinished, { recursive: true, mode: 0o700 });
  await writeFile(join(unfinished, RECORD_FILE), JSON.stringify(complete));
  await rename(unfinished, folder);
  return folder;
}

/** Records of the servers on this data folder that no longer live. */
export async function deadInstances(dataDir: string): Promise<InstanceRecord[]> {
  const dead: InstanceRecord[] = [];
  for (const name of await runEntries(dataDir)) {
    const record = await readRecord(join(dataDir, 'run', name, RECORD_FILE));
    if (record?.instanceId === name && !(await isAlive(record))) dead.push(record);
  }
  return dead;
}

/**
 * Removes what is left of folders whose record was not written yet, or removed already, when a
 * server was killed.
 */
export async function removeUnrecordedFolders(dataDir: string): Promise<void> {
  for (const name of await runEntries(dataDir)) {
    const folder = join(dataDir, 'run', name);
    const pid = /^\.[0-9a-f]{12}-(\d+)$/.exec(name)?.[1];
    const abandoned =
      pid === undefined
        ? /^[0-9a-f]{12}$/.test(name) && !existsSync(join(folder, RECORD_FILE))
        : (await processStart(Number(pid))) === undefined;
    if (abandoned) await removeTree(folder);
  }
}

/**
 * When a process started, with the boot that it belongs to: a number that is used again differs.
 * Undefined where there is no such process. Where the system does not tell, all that is known is
 * that the process is there.
 */
export async function processStart(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return isThere(pid) ? 'unknown' : undefined;
  try {
    const [stat, boot] = await Promise.all([
      readFile(`/proc/${pid}/stat`, 'latin1'),
      readFile('/proc/sys/kernel/random/boot_id', 'latin1'),
    ]);
    // The second field, the name, may hold spaces and brackets; the start is the 22nd.
    const ticks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
    return `${boot.trim()} ${ticks}`;
  } catch {
    return undefined;
  }
}

const RECORD_FILE = 'instance.json';

async function isAlive(record: InstanceRecord): Promise<boolean> {
  const start = await processStart(record.pid);
  return start !== undefined && start === record.processStart;
}

function isThere(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errorCode(error) === 'EPERM';
  }
}

async function runEntries(dataDir: string): Promise<string[]> {
  try {
    return await readdir(join(dataDir, 'run'));
  } catch (error) {
    if (errorCode(error) === 'ENOENT') return [];
    throw error;
  }
}

async function readRecord(path: string): Promise<InstanceRecord | undefined> {
  try {
    const value: unknown = JSON.parse(await readFile(path, 'utf8'));
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function isRecord(value: unknown): value is InstanceRecord {
  if (typeof value !== 'object' || value === null) return false;
  const record = value as Partial<Record<keyof InstanceRecord, unknown>>;
  return (
    typeof record.instanceId === 'string' &&
    typeof record.pid === 'number' &&
    Array.isArray(record.controlGroups) &&
    record.controlGroups.every((path) => typeof path === 'string')
  );
}
