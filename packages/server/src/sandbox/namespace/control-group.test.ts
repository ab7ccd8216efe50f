import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlGroup, type GroupFolder } from './control-group.ts';

const LIMITS = { memoryBytes: 134_217_728, cpuCores: 0.5 };
const PROCESSES = 1_024;

describe('a control group', () => {
  // A plain folder of version 2 stands in for the kernel's: what is written, and where, is what counts here.
  let root: string;
  let folder: GroupFolder;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'hearth-group-'));
    const path = join(root, 'e1');
    mkdirSync(path);
    writeFileSync(join(path, 'memory.swap.max'), 'max');
    writeFileSync(join(path, 'cpu.max'), '');
    writeFileSync(join(path, 'cgroup.freeze'), '0');
    writeFileSync(join(path, 'memory.peak'), '4096\n');
    writeFileSync(join(path, 'memory.events'), 'low 0\nmax 3\noom 2\noom_kill 2\n');
    folder = {
      path,
      version: 2,
      controllers: ['memory', 'cpu', 'pids', 'freezer'],
      server: root,
      instance: root,
    };
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });
  const content = (name: string): string => readFileSync(join(folder.path, name), 'utf8');

  const assigned = (limits = LIMITS): ControlGroup => {
    const group = new ControlGroup([folder], PROCESSES);
    group.limit(limits);
    return group;
  };

  test('limits processes when it is made, memory and swap when it is assigned', () => {
    const group = new ControlGroup([folder], PROCESSES);
    expect(content('pids.max')).toBe('1024');
    expect(group.memoryPeakBytes()).toBe(4_096);
    expect(group.outOfMemoryKills()).toBe(2);
    group.limit(LIMITS);
    // Only as much of the file as was written: the kernel's has no content to keep.
    expect([content('memory.max'), content('memory.swap.max')]).toEqual(['134217728', '0ax']);
    expect(content('memory.peak')).toBe('4096\n');
    group.countPeakAnew();
    expect(content('memory.peak')).toBe('0096\n');
  });

  test('limits that hold already are not written again', () => {
    const group = assigned();
    for (const name of ['memory.max', 'cpu.max.burst']) writeFileSync(join(folder.path, name), 'x');
    group.limit({ ...LIMITS });
    expect([content('memory.max'), content('cpu.max.burst')]).toEqual(['x', 'x']);
    group.limit({ memoryBytes: LIMITS.memoryBytes * 2, cpuCores: LIMITS.cpuCores });
    expect([content('memory.max'), content('cpu.max.burst')]).toEqual(['268435456', 'x']);
  });

  test('takes the process in by its number, and sets and lifts the share of the CPU', async () => {
    const group = assigned();
    expect(group.spawnInside(() => 'child')).toBe('child');
    await group.adopt(4_711);
    expect(content('cgroup.procs')).toBe('4711');
    group.limitCpu(true);
    expect(content('cpu.max')).toMatch(/^10000 20000/);
    group.limitCpu(false);
    expect(content('cpu.max')).toMatch(/^max 20000/);
  });

  test('a sliver of the CPU is still what the kernel accepts', () => {
    assigned({ ...LIMITS, cpuCores: 0.001 }).limitCpu(true);
    expect(content('cpu.max')).toBe('1000 20000');
  });

  test('that is limited before it is assigned has its share from then on', () => {
    const group = new ControlGroup([folder], PROCESSES);
    group.limitCpu(true);
    expect(content('cpu.max')).toBe('max 20000');
    group.limit(LIMITS);
    expect(content('cpu.max')).toBe('10000 20000');
  });

  test('of version 1 has the period in a file of its own', () => {
    writeFileSync(join(folder.path, 'cpu.cfs_quota_us'), '-1');
    folder = { ...folder, version: 1, controllers: ['cpu'] };
    const group = assigned();
    expect(content('cpu.cfs_period_us')).toBe('20000');
    group.limitCpu(true);
    expect(content('cpu.cfs_quota_us')).toBe('10000');
  });

  test('is frozen and thawed, and nothing is started in it meanwhile', () => {
    const group = assigned();
    group.freeze(true);
    expect(content('cgroup.freeze')).toBe('1');
    expect(() => group.spawnInside(() => 'child')).toThrow('that is frozen');
    group.freeze(false);
    expect(content('cgroup.freeze')).toBe('0');
    expect(group.spawnInside(() => 'child')).toBe('child');
  });

  test('of version 1 is frozen by words', () => {
    writeFileSync(join(folder.path, 'freezer.state'), 'THAWED\n');
    const group = new ControlGroup(
      [{ ...folder, version: 1, controllers: ['freezer'] }],
      PROCESSES,
    );
    group.freeze(true);
    expect(content('freezer.state')).toBe('FROZEN\n');
    group.freeze(false);
    expect(content('freezer.state')).toBe('THAWED\n');
  });
});
