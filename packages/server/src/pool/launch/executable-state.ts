import { constants } from 'node:fs';
import { access, lstat, open, realpath } from 'node:fs/promises';
import { join } from 'node:path';

/** Folders of the host that the sandbox shows at `/var/task` and `/opt`. */
export interface ExecutableFolders {
  readonly task: string;
  readonly opt: string | undefined;
}

/** The system's own words for why an exec fails. */
export type Refusal = 'permission denied' | 'exec format error' | 'no such file or directory';

/**
 * Whether the system would execute the file of that name in `root`, one of the folders. A launcher
 * cannot be left to find out: it reports a refusal as an exit of the program, and runs what is no
 * program at all as a shell script.
 */
export async function executableState(
  root: string,
  name: string,
  folders: ExecutableFolders,
  machine: NodeJS.Architecture,
): Promise<'absent' | 'runs' | Refusal> {
  const path = join(root, name);
  const stats = await lstat(path).catch(() => undefined);
  if (stats === undefined || stats.isDirectory()) return 'absent';
  if (stats.isSymbolicLink()) {
    const target = await realpath(path).catch(() => undefined);
    // A link out of the folder leads somewhere else inside the sandbox: what is there, the kernel says.
    if (target === undefined || !isInside(target, await realpath(root))) return 'runs';
    return stateOfFile(target, folders, machine);
  }
  return stateOfFile(path, folders, machine);
}

async function stateOfFile(
  path: string,
  folders: ExecutableFolders,
  machine: NodeJS.Architecture,
): Promise<'absent' | 'runs' | Refusal> {
  // Not blocking: in a folder that runs in place the file may have become a pipe.
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  await using file = await open(path, flags).catch(() => undefined);
  if (file === undefined) return 'permission denied';
  const stats = await file.stat();
  if (!stats.isFile()) return stats.isDirectory() ? 'absent' : 'permission denied';
  if ((stats.mode & 0o111) === 0) return 'permission denied';
  const { buffer, bytesRead } = await file.read(Buffer.alloc(MAX_HEAD_BYTES), 0, MAX_HEAD_BYTES, 0);
  const head = buffer.subarray(0, bytesRead);
  if (head.subarray(0, 4).equals(ELF_MAGIC)) return stateOfElf(head, machine);
  if (head.subarray(0, 2).toString('latin1') === '#!') return stateOfScript(head, folders);
  return 'exec format error';
}

/** The kernel reads no more of a script's first line. */
const MAX_HEAD_BYTES = 256;
const ELF_MAGIC = Buffer.from('\u007fELF', 'latin1');
/** `e_machine` of the architectures, and what emulators of them are registered as. */
const ELF_MACHINES: Readonly<Record<string, { machine: number; emulator: string }>> = {
  x64: { machine: 62, emulator: 'qemu-x86_64' },
  arm64: { machine: 183, emulator: 'qemu-aarch64' },
};
const MACHINE_OFFSET = 18;

async function stateOfElf(head: Buffer, machine: NodeJS.Architecture): Promise<'runs' | Refusal> {
  const own = ELF_MACHINES[machine];
  if (head.length < MACHINE_OFFSET + 2) return 'exec format error';
  const wanted = head.readUInt16LE(MACHINE_OFFSET);
  if (own === undefined || own.machine === wanted) return 'runs';
  const other = Object.values(ELF_MACHINES).find((one) => one.machine === wanted);
  if (other === undefined) return 'exec format error';
  const isEmulated = await exists(`/proc/sys/fs/binfmt_misc/${other.emulator}`);
  return isEmulated ? 'runs' : 'exec format error';
}

/** A script runs where its interpreter does; `\r` at the line's end makes it another name, as on AWS. */
async function stateOfScript(
  head: Buffer,
  { task, opt }: ExecutableFolders,
): Promise<'runs' | Refusal> {
  const [line = ''] = head.subarray(2).toString('latin1').split('\n');
  const interpreter = /^[ \t]*([^ \t]*)/.exec(line)?.[1] ?? '';
  if (interpreter === '') return 'exec format error';
  if (!interpreter.startsWith('/')) return 'runs';
  const own = [
    { guest: '/var/task/', host: task },
    { guest: '/opt/', host: opt },
  ].find(({ guest }) => interpreter.startsWith(guest));
  if (own === undefined) return (await exists(interpreter)) ? 'runs' : 'no such file or directory';
  if (own.host === undefined) return 'no such file or directory';
  // Whatever it is: a link in it may lead to where only the sandbox has something.
  const found = await lstat(join(own.host, interpreter.slice(own.guest.length))).catch(
    () => undefined,
  );
  return found === undefined ? 'no such file or directory' : 'runs';
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function isInside(path: string, folder: string): boolean {
  return path.startsWith(`${folder}/`);
}
