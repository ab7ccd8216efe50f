import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, readFileSync, readSync, writeSync } from 'node:fs';
import * as fc from 'fast-check';
import { beforeAll, describe, expect, test } from 'vitest';
import {
  type LinuxSystemCalls,
  loadLinuxSystemCalls,
  parseWaitStatus,
  Resource,
  Signal,
  SystemCallError,
} from './linux-system-calls.ts';

describe('system calls of Linux', () => {
  let calls: LinuxSystemCalls;
  beforeAll(async () => {
    if (process.platform === 'linux') calls = await loadLinuxSystemCalls();
  });

  test('are loaded once', async ({ skip }) => {
    skip(process.platform !== 'linux', 'needs Linux');
    expect(await loadLinuxSystemCalls()).toBe(calls);
  });

  test('that fail name the call, its subject and the error', ({ skip }) => {
    skip(process.platform !== 'linux', 'needs Linux');
    expect(() => calls.mount('/absent', '/absent', '', 4_096, '')).toThrow('mount /absent: ');
    expect(() => calls.openProcess(2 ** 30)).toThrow(SystemCallError);
  });

  test('a process is watched until its death, and its status can be asked for then', async ({
    skip,
  }) => {
    skip(process.platform !== 'linux', 'needs Linux');
    const child = spawn('/bin/sh', ['-c', 'read line'], { stdio: ['pipe', 'ignore', 'ignore'] });
    const exited = once(child, 'exit');
    const descriptor = calls.openProcess(child.pid ?? 0);
    try {
      calls.signalProcess(descriptor, Signal.kill);
      await calls.processEnded(descriptor);
      await exited;
      calls.signalProcess(descriptor, Signal.kill);
      await calls.processEnded(descriptor);
      const status = calls.waitStatus(descriptor);
      // Undefined before Linux 6.15.
      expect(status ?? { code: undefined, signal: 9 }).toEqual({ code: undefined, signal: 9 });
    } finally {
      closeSync(descriptor);
    }
  });

  test('the death of one process is never taken for that of another', async ({ skip }) => {
    skip(process.platform !== 'linux', 'needs Linux');
    const seen: boolean[] = [];
    await Promise.all(
      Array.from({ length: 100 }, async () => {
        const child = spawn('/bin/true', { stdio: 'ignore' });
        const pid = child.pid ?? 0;
        const exited = once(child, 'exit');
        const descriptor = calls.openProcess(pid);
        await calls.processEnded(descriptor);
        const state = stateOf(pid);
        closeSync(descriptor);
        seen.push(state === undefined || state === 'Z' || state === 'X');
        await exited;
      }),
    );
    expect(seen).toEqual(Array.from({ length: 100 }, () => true));
  });

  test('limits, memory files and pipes do what they are for', ({ skip }) => {
    skip(process.platform !== 'linux', 'needs Linux');
    const limit = calls.resourceLimit(0, Resource.openFiles);
    calls.setResourceLimit(0, Resource.openFiles, limit);
    expect(calls.resourceLimit(0, Resource.openFiles)).toEqual(limit);
    const file = calls.createMemoryFile('test');
    const { read, write } = calls.createPipe();
    const buffer = Buffer.alloc(8);
    writeSync(file, 'content', 0);
    writeSync(write, 'x');
    expect(readSync(file, buffer)).toBe(7);
    expect(readSync(read, buffer)).toBe(1);
    for (const descriptor of [file, read, write]) closeSync(descriptor);
  });
});

test('a wait status holds either a code or a signal', () => {
  expect(parseWaitStatus(0)).toEqual({ code: 0, signal: undefined });
  expect(parseWaitStatus(11 | 0x80)).toEqual({ code: undefined, signal: 11 });
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), (code) => {
      expect(parseWaitStatus(code << 8)).toEqual({ code, signal: undefined });
    }),
  );
});

function stateOf(pid: number): string | undefined {
  try {
    return /.*\) (\S)/s.exec(readFileSync(`/proc/${pid}/stat`, 'latin1'))?.[1];
  } catch {
    return undefined;
  }
}
