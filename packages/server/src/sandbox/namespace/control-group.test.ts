import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ControlGroup, type GroupFolder } from './control-group.ts';

const LIMITS = { memoryBytes: 134_217_728, cpuCores: 0.5, processes: 1_024 };

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
    writeFileSync(join(path, 'memory.peak'), '4096\n');
    writeFileSync(join(path, 'memory.events'), 'low 0\nmax 3\noom 2\noom_kill 2\n');
    folder = {
      path,
      version: 2,
      controllers: ['memory', 'cpu', 'pids'],
      server: root,
      instance: root,
    };
  });
  afterEach(() => {
    rmSync(root, { recursive: true });
  });
  const content = (name: string): string => readFileSync(join(folder.path, name), 'utf8');

  test('sets memory, swap and processes when it is made', () => {
    const group = new ControlGroup([folder], LIMITS);
    expect([content('memory.max'), content('memory.swap.max'), content('pids.max')]).toEqual([
      '134217728',
      // Only as much of the file as was written: the kernel's has no content to keep.
      '0ax',
      '1024',
    ]);
    expect(group.memoryPeakBytes()).toBe(4_096);
    expect(group.outOfMemoryKills()).toBe(2);
  });

  test('takes the process in by its number, and sets and lifts the share of the CPU', async () => {
    const group = new ControlGroup([folder], LIMITS);
    expect(group.spawnInside(() => 'child')).toBe('child');
    await group.adopt(4_711);
    expect(content('cgroup.procs')).toBe('4711');
    group.limitCpu(true);
    expect(content('cpu.max')).toMatch(/^10000 20000/);
    group.limitCpu(false);
    expect(content('cpu.max')).toMatch(/^max 20000/);
  });

  test('a sliver of the CPU is still what the kernel accepts', () => {
    const group = new ControlGroup([folder], { ...LIMITS, cpuCores: 0.001 });
    group.limitCpu(true);
    expect(content('cpu.max')).toBe('1000 20000');
  });

  test('of version 1 has the period in a file of its own', () => {
    writeFileSync(join(folder.path, 'cpu.cfs_quota_us'), '-1');
    const group = new ControlGroup([{ ...folder, version: 1, controllers: ['cpu'] }], LIMITS);
    expect(content('cpu.cfs_period_us')).toBe('20000');
    group.limitCpu(true);
    expect(content('cpu.cfs_quota_us')).toBe('10000');
  });
});
