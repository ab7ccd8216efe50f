import { readdir, readFile } from 'node:fs/promises';

/** Memory of some processes together, in bytes. */
export interface HeldMemory {
  /** Theirs alone, and their part of what they share. */
  readonly proportional: number;
  /** What would be free if they were not there. */
  readonly private: number;
  readonly processes: number;
}

/** Of everything that a process has started, without itself. */
export async function memoryOfDescendants(pid: number): Promise<HeldMemory> {
  const children = await childrenByParent();
  const pids: number[] = [];
  const collect = (parent: number): void => {
    for (const child of children.get(parent) ?? []) {
      pids.push(child);
      collect(child);
    }
  };
  collect(pid);
  return memoryOf(pids);
}

export async function memoryOf(pids: readonly number[]): Promise<HeldMemory> {
  let proportional = 0;
  let own = 0;
  let processes = 0;
  for (const pid of pids) {
    const text = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    processes += 1;
    proportional += kilobytes(text, 'Pss') * 1_024;
    own += (kilobytes(text, 'Private_Clean') + kilobytes(text, 'Private_Dirty')) * 1_024;
  }
  return { proportional, private: own, processes };
}

async function childrenByParent(): Promise<Map<number, number[]>> {
  const children = new Map<number, number[]>();
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await readFile(`/proc/${name}/stat`, 'latin1').catch(() => undefined);
    if (stat === undefined) continue;
    const parent = Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    const siblings = children.get(parent);
    if (siblings === undefined) children.set(parent, [Number(name)]);
    else siblings.push(Number(name));
  }
  return children;
}

function kilobytes(rollup: string, field: string): number {
  return Number(new RegExp(`^${field}: +(\\d+) kB$`, 'm').exec(rollup)?.[1] ?? 0);
}
