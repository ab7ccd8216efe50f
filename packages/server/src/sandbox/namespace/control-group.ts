import { closeSync, existsSync, openSync, writeFileSync, writeSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { KernelFigure } from '../kernel-figure.ts';
import { type Controller, removeGroup } from './control-group-files.ts';
import type { SpawnScope } from './spawn-scope.ts';
import { errorCode } from '../../system-calls/error-code.ts';

/** What a function has, once the environment is its own. */
export interface GroupLimits {
  /** Of everything that is charged: processes, page cache, and what is in a /tmp of memory. */
  readonly memoryBytes: number;
  /** In cores: 0.5 is half of one. */
  readonly cpuCores: number;
}

/** An environment's folder in one hierarchy. */
export interface GroupFolder {
  readonly path: string;
  readonly version: 1 | 2;
  readonly controllers: readonly Controller[];
  /** The group that the server itself is in. */
  readonly server: string;
  /** The instance's group, which has no limits. */
  readonly instance: string;
}

/**
 * As on AWS: so short that a function which has used up its share goes on soon. Where it ran for more
 * than its share before the kernel's next tick, of 1 to 10 ms, it waits for several periods.
 */
const CPU_PERIOD_MICROSECONDS = 20_000;
/** The kernel takes no quota below a millisecond. */
const MIN_CPU_QUOTA_MICROSECONDS = 1_000;

/** The control group of one environment, over all hierarchies. */
export class ControlGroup implements SpawnScope, AsyncDisposable {
  readonly #folders: readonly GroupFolder[];
  readonly #peak: KernelFigure | undefined;
  readonly #kills: KernelFigure | undefined;
  readonly #cpuLimit: number | undefined;
  readonly #freezer: number | undefined;
  #limits: GroupLimits | undefined;
  #cpuLimited = false;
  #frozen = false;

  /** @param processes the most processes and threads; the other limits come with `limit` */
  constructor(folders: readonly GroupFolder[], processes: number) {
    this.#folders = folders;
    const pids = this.#of('pids');
    if (pids !== undefined) writeFileSync(join(pids.path, 'pids.max'), String(processes));
    const memory = this.#of('memory');
    this.#peak = memory && new KernelFigure(peakFile(memory), parseBytes);
    this.#kills = memory && new KernelFigure(killsFile(memory), parseKills);
    const cpu = this.#of('cpu');
    this.#cpuLimit = cpu && openSync(cpuLimitFile(cpu), 'r+');
    const freezer = this.#of('freezer');
    this.#freezer = freezer && openSync(freezerFile(freezer), 'r+');
  }

  /** Sets the limits; those that hold already cost nothing. */
  limit(limits: GroupLimits): void {
    const earlier = this.#limits;
    this.#limits = limits;
    const memory = this.#of('memory');
    if (memory !== undefined && earlier?.memoryBytes !== limits.memoryBytes) {
      setMemoryLimit(memory, limits.memoryBytes, earlier?.memoryBytes);
    }
    if (earlier?.cpuCores === limits.cpuCores) return;
    const cpu = this.#of('cpu');
    if (cpu !== undefined) setCpuPeriod(cpu, limits);
    if (this.#cpuLimited) this.#writeCpuLimit();
  }

  /** From now on the memory peak is counted anew, where the kernel can. */
  countPeakAnew(): void {
    this.#peak?.restart('0');
  }

  /**
   * Calls `spawn` so that what it starts is in the groups of version 1 before its first instruction.
   * Throws while the group is frozen.
   *
   * Moving another process makes the kernel wait for all processors, 10 ms; a thread that moves
   * itself does not. So the server's thread steps in, forks, and steps out again, in one turn of the
   * event loop.
   */
  spawnInside<Child>(spawn: () => Child): Child {
    // The server would stand still with it, for good.
    if (this.#frozen) throw new Error('Cannot start a process in a control group that is frozen');
    const old = this.#folders.filter((folder) => folder.version === 1);
    try {
      for (const { path } of old) moveOwnThread(path);
      return spawn();
    } finally {
      for (const { server, instance } of old) {
        try {
          moveOwnThread(server);
        } catch {
          // Someone has removed the server's group. It must not stay under a function's limits.
          moveOwnThread(instance);
        }
      }
    }
  }

  /** Files by which a process moves itself, and what it forks from then on, by writing 0. */
  entrances(): string[] {
    return this.#folders.map(({ path, version }) =>
      join(path, version === 1 ? 'tasks' : 'cgroup.procs'),
    );
  }

  /** Moves a process that has not forked yet into the groups of version 2. */
  async adopt(pid: number): Promise<void> {
    for (const { path } of this.#folders.filter(({ version }) => version === 2)) {
      await writeFile(join(path, 'cgroup.procs'), String(pid));
    }
  }

  /** Sets the share of the CPU that was assigned, now or later, or takes the limit away. */
  limitCpu(limited: boolean): void {
    if (this.#cpuLimited === limited) return;
    this.#cpuLimited = limited;
    this.#writeCpuLimit();
  }

  /** True where `freeze` has an effect. */
  get freezes(): boolean {
    return this.#freezer !== undefined;
  }

  /**
   * Stops all processes, or lets them go on. In version 1 SIGKILL, too, has its effect only on a
   * group that is thawed.
   */
  freeze(frozen: boolean): void {
    if (this.#freezer === undefined || this.#frozen === frozen) return;
    const values = this.#of('freezer')?.version === 1 ? ['THAWED', 'FROZEN'] : ['0', '1'];
    writeSync(this.#freezer, values[Number(frozen)] ?? '', 0);
    this.#frozen = frozen;
  }

  /** How many processes the kernel has ended so far because the memory limit was reached. */
  outOfMemoryKills(): number {
    return this.#kills?.read() ?? 0;
  }

  /** The most that was charged at one time since the group was assigned, in bytes. */
  memoryPeakBytes(): number | undefined {
    return this.#peak?.read();
  }

  /** Removes the group; no process may be left in it. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#peak?.[Symbol.dispose]();
    this.#kills?.[Symbol.dispose]();
    if (this.#cpuLimit !== undefined) closeSync(this.#cpuLimit);
    if (this.#freezer !== undefined) closeSync(this.#freezer);
    for (const { path } of this.#folders) await removeGroup(path);
  }

  #of(controller: Controller): GroupFolder | undefined {
    return this.#folders.find(({ controllers }) => controllers.includes(controller));
  }

  #writeCpuLimit(): void {
    const folder = this.#of('cpu');
    if (folder === undefined || this.#cpuLimit === undefined) return;
    const quota = this.#cpuLimited && this.#limits && cpuQuotaMicroseconds(this.#limits);
    const value =
      folder.version === 1 ? String(quota || -1) : `${quota || 'max'} ${CPU_PERIOD_MICROSECONDS}`;
    writeSync(this.#cpuLimit, value, 0);
  }
}

function setCpuPeriod(folder: GroupFolder, limits: GroupLimits): void {
  // Version 2 has the period in the same file as the quota.
  if (folder.version === 1) {
    writeFileSync(join(folder.path, 'cpu.cfs_period_us'), String(CPU_PERIOD_MICROSECONDS));
  }
  // A share that was not used may be used later, once: a short event after a pause runs through.
  // The kernel allows no more than the quota; Linux 5.14 and later.
  const burst = folder.version === 1 ? 'cpu.cfs_burst_us' : 'cpu.max.burst';
  setIfThere(folder, burst, cpuQuotaMicroseconds(limits));
}

function setMemoryLimit(folder: GroupFolder, bytes: number, earlier: number | undefined): void {
  if (folder.version === 2) {
    writeFileSync(join(folder.path, 'memory.max'), String(bytes));
    setIfThere(folder, 'memory.swap.max', 0);
    return;
  }
  // Memory and swap together must never be less than memory alone. The file is absent where the
  // kernel does not account for swap.
  const isRaised = earlier !== undefined && bytes > earlier;
  if (isRaised) setIfThere(folder, 'memory.memsw.limit_in_bytes', bytes);
  writeFileSync(join(folder.path, 'memory.limit_in_bytes'), String(bytes));
  if (!isRaised) setIfThere(folder, 'memory.memsw.limit_in_bytes', bytes);
}

function cpuQuotaMicroseconds({ cpuCores }: GroupLimits): number {
  return Math.max(MIN_CPU_QUOTA_MICROSECONDS, Math.round(CPU_PERIOD_MICROSECONDS * cpuCores));
}

function setIfThere(folder: GroupFolder, name: string, value: number): void {
  try {
    writeFileSync(join(folder.path, name), String(value), { flag: 'r+' });
  } catch (error) {
    if (errorCode(error) !== 'ENOENT') throw error;
  }
}

function moveOwnThread(folder: string): void {
  writeFileSync(join(folder, 'tasks'), '0', { flag: 'r+' });
}

/** Before Linux 5.19, version 2 has no peak; what is held now is then the best figure. */
function peakFile({ path, version }: GroupFolder): string {
  if (version === 1) return join(path, 'memory.max_usage_in_bytes');
  const peak = join(path, 'memory.peak');
  return existsSync(peak) ? peak : join(path, 'memory.current');
}

function killsFile({ path, version }: GroupFolder): string {
  return join(path, version === 1 ? 'memory.oom_control' : 'memory.events');
}

function cpuLimitFile({ path, version }: GroupFolder): string {
  return join(path, version === 1 ? 'cpu.cfs_quota_us' : 'cpu.max');
}

function freezerFile({ path, version }: GroupFolder): string {
  return join(path, version === 1 ? 'freezer.state' : 'cgroup.freeze');
}

function parseKills(text: string): number | undefined {
  const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
  return count === undefined ? undefined : Number(count);
}

function parseBytes(text: string): number | undefined {
  return /^\d+\s*$/.test(text) ? Number(text) : undefined;
}
